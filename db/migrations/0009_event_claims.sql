-- Claims by process in place of leases by row (0007_instances.sql); the period of an event, and its instant of publication.
ALTER TABLE event_drafts
    -- Now a column that statements write: when a process may take the APPROVED event.
    ALTER COLUMN attend_at DROP EXPRESSION,
    ADD COLUMN holder       uuid,
    ADD COLUMN starts_at    timestamptz,
    ADD COLUMN ends_at      timestamptz,
    ADD COLUMN end_at       timestamptz,
    ADD COLUMN scheduled_at timestamptz,
    ADD COLUMN time_zone    text NOT NULL DEFAULT '';
UPDATE event_drafts SET attend_at = NULL WHERE attend_at = 'infinity';
ALTER TABLE event_drafts
    DROP COLUMN lease_until,
    DROP COLUMN reconcile_at,
    DROP CONSTRAINT event_drafts_published,
    -- An event whose period is over ends, also one that no channel has accepted.
    ADD CONSTRAINT event_drafts_published
        CHECK (CASE status WHEN 'ACTIVE' THEN published_at IS NOT NULL WHEN 'ENDED' THEN true ELSE published_at IS NULL END),
    ADD CONSTRAINT event_drafts_attended CHECK (status = 'APPROVED' OR (holder IS NULL AND attend_at IS NULL)),
    ADD CONSTRAINT event_drafts_held_or_waiting CHECK (holder IS NULL OR attend_at IS NULL),
    ADD CONSTRAINT event_drafts_period CHECK (starts_at < ends_at);
COMMENT ON COLUMN event_drafts.attend_at IS
    'From then on a process may take the APPROVED event; NULL: one has it, or there is nothing to finish.';
COMMENT ON COLUMN event_drafts.holder IS 'The process that publishes the APPROVED event: instances.id.';
COMMENT ON COLUMN event_drafts.end_at IS 'When the published event ends by itself: ends_at, from the approval to the end.';
COMMENT ON COLUMN event_drafts.scheduled_at IS 'When its owner wants it published; NULL: at the approval.';
COMMENT ON COLUMN event_drafts.time_zone IS 'In which its owner thinks of scheduled_at; for display.';

-- Few events have a holder at a time. Statements that guard one event by its holder compare by IS NOT DISTINCT FROM, so
-- that none takes this index for cheaper than the primary key.
CREATE INDEX event_drafts_by_holder ON event_drafts (holder) WHERE holder IS NOT NULL;
CREATE INDEX event_drafts_to_end ON event_drafts (end_at) WHERE end_at IS NOT NULL;

-- The view pg_timezone_names reads all zones from files, for each look.
CREATE TABLE time_zones (
    name text PRIMARY KEY
);
COMMENT ON TABLE time_zones IS 'Names of the IANA time zones.';
INSERT INTO time_zones (name)
SELECT DISTINCT name FROM pg_timezone_names WHERE name NOT LIKE 'posix%' AND name NOT LIKE 'right/%';
