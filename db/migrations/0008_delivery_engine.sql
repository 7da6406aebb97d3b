-- The delivery engine. An event has one distribution, for life. What is to be done later stands in the delivery's row,
-- with its time, and any process takes it. A claim names the process that holds it (instances).

-- The schema says which channels there are; a new one needs no migration.
ALTER TABLE event_drafts DROP CONSTRAINT event_drafts_channels;
ALTER TABLE distributions DROP CONSTRAINT distributions_channels;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_channel;

-- Only the last round of an event stays.
DELETE FROM distributions
WHERE seq NOT IN (SELECT max(seq) FROM distributions GROUP BY event_id);
DROP INDEX distributions_one_open, distributions_by_event, distributions_idle;
ALTER TABLE distributions
    DROP CONSTRAINT distributions_pkey,
    DROP CONSTRAINT distributions_id,
    DROP COLUMN is_open,
    DROP COLUMN seq,
    ADD CONSTRAINT distributions_pkey PRIMARY KEY (event_id),
    ADD COLUMN owner text NOT NULL DEFAULT '',
    ADD COLUMN unsettled integer NOT NULL DEFAULT 0 CHECK (unsettled >= 0),
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD COLUMN report_at timestamptz,
    ADD COLUMN scheduled_at timestamptz,
    ADD COLUMN time_zone text NOT NULL DEFAULT '',
    ADD COLUMN expires_at timestamptz NOT NULL DEFAULT now() + interval '1 day',
    SET (fillfactor = 80);
ALTER TABLE distributions ALTER COLUMN expires_at DROP DEFAULT;
COMMENT ON COLUMN distributions.owner IS 'The event''s owner; empty: not told.';
COMMENT ON COLUMN distributions.unsettled IS 'How many of its deliveries are not settled yet.';
COMMENT ON COLUMN distributions.version IS 'Grows with each change that its owner can see.';
COMMENT ON COLUMN distributions.report_at IS 'When DistributionProgressed, or DistributionCompleted, is to be published; NULL: nothing is.';

ALTER TABLE deliveries
    DROP CONSTRAINT deliveries_state,
    ADD CONSTRAINT deliveries_state
        CHECK (state IN ('PENDING', 'DEFERRED', 'PREPARING', 'READY', 'COMMITTING', 'PUBLISHED', 'AWAITING_OPERATOR',
                         'REJECTED', 'NEEDS_AUTH', 'OUTCOME_UNKNOWN', 'RECONCILING', 'EXPIRED', 'CANCELLED')),
    ADD COLUMN settled boolean NOT NULL DEFAULT false,
    ADD COLUMN step_id text NOT NULL DEFAULT '',
    ADD COLUMN post_url text NOT NULL DEFAULT '',
    ADD COLUMN failures integer NOT NULL DEFAULT 0,
    ADD COLUMN next_at timestamptz,
    ADD COLUMN expires_at timestamptz NOT NULL DEFAULT now() + interval '1 day',
    ADD COLUMN holder uuid,
    SET (fillfactor = 70);
ALTER TABLE deliveries ALTER COLUMN expires_at DROP DEFAULT;
-- What was refused stays refused; what was on its way or could be repeated goes on.
UPDATE deliveries
SET settled = state IN ('PUBLISHED', 'AWAITING_OPERATOR', 'REJECTED'),
    next_at = CASE WHEN state NOT IN ('PUBLISHED', 'AWAITING_OPERATOR', 'REJECTED')
                   THEN GREATEST(lease_until, now()) END;
UPDATE distributions
SET unsettled = open.count
FROM (SELECT event_id AS open_id, count(*) AS count FROM deliveries WHERE NOT settled GROUP BY event_id) AS open
WHERE event_id = open.open_id;
UPDATE distributions SET report_at = now() WHERE completed_at IS NULL;
ALTER TABLE deliveries DROP COLUMN lease_until, DROP COLUMN created_at;
COMMENT ON COLUMN deliveries.settled IS 'Nothing more happens by itself.';
COMMENT ON COLUMN deliveries.step_id IS 'The channel''s id of what was prepared, such as a container; stored before it is used.';
COMMENT ON COLUMN deliveries.failures IS 'Attempts that failed for the moment, in a row: for the backoff.';
COMMENT ON COLUMN deliveries.next_at IS 'When any process takes it up; NULL: a process holds it, or it is settled.';
COMMENT ON COLUMN deliveries.holder IS 'The process that drives it: instances.id.';

CREATE INDEX deliveries_due ON deliveries (channel, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_unknown ON deliveries (updated_at, event_id, channel) WHERE state = 'OUTCOME_UNKNOWN';
CREATE INDEX distributions_unsettled ON distributions (event_id) WHERE unsettled > 0;
CREATE INDEX distributions_report ON distributions (report_at) WHERE report_at IS NOT NULL;

-- Attempts are written once, when they end.
ALTER TABLE delivery_attempts DROP CONSTRAINT delivery_attempts_event_id_channel_fkey;

-- What a person, or a cause, has done to a channel, for all processes.
CREATE TABLE channel_controls (
    channel    text PRIMARY KEY,
    pause      text NOT NULL DEFAULT 'NOT_PAUSED'
        CHECK (pause IN ('NOT_PAUSED', 'PAUSED_BY_OPERATOR', 'PAUSED_FOR_CREDENTIAL', 'PAUSED_FOR_CLOCK',
                         'PAUSED_FOR_DISABLED')),
    breaker    text NOT NULL DEFAULT 'BREAKER_AUTOMATIC'
        CHECK (breaker IN ('BREAKER_AUTOMATIC', 'BREAKER_FORCE_OPEN', 'BREAKER_DISABLE')),
    note       text NOT NULL DEFAULT '',
    probe_at   timestamptz,
    probes     integer NOT NULL DEFAULT 0,
    resets     bigint NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN channel_controls.probe_at IS 'When one delivery tries whether the cause of the pause is gone.';
COMMENT ON COLUMN channel_controls.resets IS 'Grows when an operator closes the breaker: each process then empties its own.';

-- Credentials that a channel renews.
CREATE TABLE channel_tokens (
    channel     text PRIMARY KEY,
    token       text NOT NULL,
    source      bytea NOT NULL,
    obtained_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz
);
COMMENT ON COLUMN channel_tokens.source IS 'SHA-256 of the configured token that this one descends from: a new one in the settings takes its place.';
