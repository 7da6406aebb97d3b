-- Reads all deliveries of an event, in the order of its channels.
-- Effect: read by key
-- $1 event_id
SELECT deliveries.channel AS channel, state, settled, remote_id, step_id, post_url, reason, message, attempts, failures,
       next_at, deliveries.expires_at AS expires_at, started_at, finished_at
FROM deliveries
JOIN distributions USING (event_id)
WHERE event_id = $1::uuid
ORDER BY array_position(channels, deliveries.channel)
