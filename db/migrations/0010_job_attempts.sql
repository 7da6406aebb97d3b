-- Attempts at a job are counted in its row, and a job keeps its record for Kafka until it has ended, so that a record
-- that was lost there can be sent again.
ALTER TABLE jobs
    ADD COLUMN attempts     integer NOT NULL DEFAULT 0,
    ADD COLUMN attempt_id   uuid,
    ADD COLUMN record_id    uuid,
    ADD COLUMN record_type  text,
    ADD COLUMN record_value bytea,
    ADD COLUMN resend_ms    bigint NOT NULL DEFAULT 0,
    ADD COLUMN resends      integer NOT NULL DEFAULT 0,
    ADD COLUMN resend_at    timestamptz;
COMMENT ON COLUMN jobs.attempts IS 'Attempts that have begun and were not given back: a worker that dies leaves its attempt counted.';
COMMENT ON COLUMN jobs.attempt_id IS 'The last attempt that was counted; a repeated report of it counts once. NULL: none, or given back.';
COMMENT ON COLUMN jobs.record_id IS 'ce_id of its record, the same each time the record is sent.';
COMMENT ON COLUMN jobs.resend_at IS 'Without a report until then its record is taken for lost; NULL: the job has ended, or is older than this column.';

CREATE INDEX jobs_to_resend ON jobs (resend_at) WHERE resend_at IS NOT NULL;
