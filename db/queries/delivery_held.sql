-- Lists the deliveries that a process holds.
-- Effect: read
-- $1 holder
SELECT deliveries.event_id::text AS event_id, channel, attempts
FROM distributions
JOIN deliveries ON deliveries.event_id = distributions.event_id AND holder = $1::uuid
WHERE unsettled > 0
