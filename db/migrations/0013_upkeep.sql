-- Rows that were sent stand between the unsent ones in the order of seq. Without an index on seq alone, no statement can
-- walk over them.
ALTER TABLE outbox
    DROP CONSTRAINT outbox_pkey,
    DROP CONSTRAINT outbox_id,
    ADD CONSTRAINT outbox_id PRIMARY KEY (id);

-- What has a life is found by its age: server/durable/reply_pruner.h.
CREATE INDEX event_drafts_ended ON event_drafts (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (updated_at) WHERE status IN ('COMPLETED', 'FAILED');
CREATE INDEX delivery_attempts_by_age ON delivery_attempts (finished_at);
