-- Reads how distributions have moved on, for those who wait.
-- Effect: read
-- $1 event_ids
SELECT event_id::text AS event_id, version, unsettled
FROM distributions
WHERE event_id = ANY ($1::uuid[])
