-- Reads an event's distribution.
-- Effect: read by key
-- $1 event_id
SELECT id::text AS id, event_id::text AS event_id, owner, array_to_string(channels, ',') AS channels, content,
       unsettled, version, created_at, completed_at, scheduled_at, time_zone, expires_at
FROM distributions
WHERE event_id = $1::uuid
