-- Rows that were sent stand between the unsent ones in the order of seq. Without an index on seq alone, no statement can
-- walk over them.
ALTER TABLE outbox
    DROP CONSTRAINT outbox_pkey,
    DROP CONSTRAINT outbox_id,
    ADD CONSTRAINT outbox_id PRIMARY KEY (id);
