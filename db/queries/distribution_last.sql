-- Reads the event's last round.
-- Effect: read
-- Row: distribution
-- $1 event_id
SELECT id::text AS id, event_id::text AS event_id, completed_at IS NOT NULL AS completed,
       array_to_string(channels, ',') AS channels, content
FROM distributions
WHERE event_id = $1::uuid
ORDER BY seq DESC
LIMIT 1
