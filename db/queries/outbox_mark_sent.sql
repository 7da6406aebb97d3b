-- Marks a row sent.
-- Effect: write
-- $1 id
UPDATE outbox
SET sent_at = COALESCE(sent_at, now())
WHERE id = $1::uuid
