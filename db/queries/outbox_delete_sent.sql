-- Deletes rows that were sent.
-- Effect: write
-- $1 ids
DELETE FROM outbox
WHERE id = ANY ($1::text::uuid[])
