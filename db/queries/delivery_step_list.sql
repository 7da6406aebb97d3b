-- Reads what happened to an event's deliveries beside their attempts, the newest first.
-- Effect: read
-- $1 event_id  $2 limit
SELECT channel, attempt, step, state, reason, message, started_at, finished_at
FROM delivery_steps
WHERE event_id = $1::uuid
ORDER BY number DESC
LIMIT $2::bigint
