-- Reads an event's attempts, the newest first.
-- Effect: read
-- $1 event_id  $2 limit
SELECT channel, attempt, state, reason, message, started_at, finished_at
FROM delivery_attempts
WHERE event_id = $1::uuid
ORDER BY started_at DESC, channel, attempt DESC
LIMIT $2::bigint
