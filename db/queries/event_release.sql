-- Deletes the row of a process that ends and releases its events, for other processes to take at once.
-- Effect: write
-- $1 instance's id  $2 service
WITH gone AS (
    DELETE FROM instances
    WHERE id = $1::uuid AND service = $2::text
)
UPDATE event_drafts
SET holder = NULL, attend_at = now()
WHERE holder = $1::uuid AND holder IS NOT NULL
