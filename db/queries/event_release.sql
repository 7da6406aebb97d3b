-- Deletes the row of a process that ends and releases its events, for other processes to take at once. What they were
-- doing is kept as a step that did not end.
-- Effect: write
-- $1 instance's id  $2 service
WITH gone AS (
    DELETE FROM instances
    WHERE id = $1::uuid AND service = $2::text
), released AS (
    UPDATE event_drafts
    SET holder = NULL, attend_at = now(), version = version + 1
    WHERE holder = $1::uuid AND holder IS NOT NULL
    RETURNING id, held_at
)
INSERT INTO event_steps (event_id, step, at, reason, next_at, taken_by)
SELECT id, 'DISTRIBUTE_CALLED', COALESCE(held_at, now()), 'PROCESS_ENDED', now(), $1::uuid
FROM released
