-- The steps of a publish, kept: what no row of before tells any more once the next step has changed it. A step is written by a
-- statement that runs anyway, and never changed.
ALTER TABLE event_drafts
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD COLUMN held_at timestamptz;
COMMENT ON COLUMN event_drafts.version IS 'Grows with each change; with the number of event_steps: what WaitEvent waits for.';
COMMENT ON COLUMN event_drafts.held_at IS 'When its holder took it, or the last one did.';

CREATE TABLE event_steps (
    event_id uuid NOT NULL,
    number   bigint GENERATED ALWAYS AS IDENTITY,
    step     text NOT NULL,
    at       timestamptz NOT NULL,
    ended_at timestamptz,
    reason   text NOT NULL DEFAULT '',
    message  text NOT NULL DEFAULT '',
    next_at  timestamptz,
    taken_by uuid,

    CONSTRAINT event_steps_order PRIMARY KEY (event_id, number),
    CONSTRAINT event_steps_step
        CHECK (step IN ('APPROVED', 'EVENT_CREATED_SENT', 'DISTRIBUTE_CALLED', 'CACHE_DELETED', 'CACHE_DELETED_AGAIN', 'REPLIED'))
);
COMMENT ON TABLE event_steps IS 'Steps of a publish that have ended. They die with their event: event_delete, event_prune.';
COMMENT ON COLUMN event_steps.reason IS 'Why it failed; empty: it succeeded.';
COMMENT ON COLUMN event_steps.next_at IS 'When it is tried again.';
COMMENT ON COLUMN event_steps.taken_by IS 'The process: instances.id.';

-- What happens to a delivery beside its attempts.
CREATE TABLE delivery_steps (
    event_id    uuid NOT NULL,
    channel     text NOT NULL,
    number      bigint GENERATED ALWAYS AS IDENTITY,
    attempt     integer NOT NULL,
    step        text NOT NULL,
    state       text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    message     text NOT NULL DEFAULT '',
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,

    CONSTRAINT delivery_steps_order PRIMARY KEY (event_id, number),
    CONSTRAINT delivery_steps_step
        CHECK (step IN ('PREPARED', 'LOOKED_UP', 'CONFIRMED', 'RESOLVED', 'CANCELLED', 'RETRIED')),
    FOREIGN KEY (event_id, channel) REFERENCES deliveries ON DELETE CASCADE
);
CREATE INDEX delivery_steps_by_age ON delivery_steps (finished_at);

-- A failed job keeps its record, so that it can begin anew.
ALTER TABLE jobs ADD COLUMN requeues integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.requeues IS 'How often it began anew.';

-- Pages of jobs, newest first.
CREATE INDEX jobs_by_age ON jobs (created_at DESC, id DESC);
CREATE INDEX jobs_by_user ON jobs (user_id, created_at DESC, id DESC);
CREATE INDEX jobs_by_status ON jobs (status, created_at DESC, id DESC);
