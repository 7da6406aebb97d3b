-- Reads one delivery.
-- Effect: read
-- Row: delivery
-- $1 event_id  $2 channel
SELECT channel, state, remote_id, reason, message, attempts, started_at, finished_at
FROM deliveries
WHERE event_id = $1::uuid AND channel = $2::text
