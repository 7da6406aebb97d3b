-- Reads all deliveries of an event.
-- Effect: read
-- Row: delivery
-- $1 event_id
SELECT channel, state, remote_id, reason, message, attempts, started_at, finished_at
FROM deliveries
WHERE event_id = $1::uuid
