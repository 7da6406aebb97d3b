-- Makes deliveries for channels of the event's open round that have none.
-- Effect: write
-- $1 event_id
INSERT INTO deliveries (event_id, channel)
SELECT event_id, unnest(channels)
FROM distributions
WHERE event_id = $1::uuid AND is_open
ON CONFLICT DO NOTHING
