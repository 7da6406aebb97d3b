-- Deletes the rows of dead processes and releases the deliveries that they held.
-- Effect: write
-- $1 service
WITH dead AS (
    DELETE FROM instances
    WHERE id IN (SELECT id
                 FROM instances
                 WHERE service = $1::text AND alive_until < now()
                 ORDER BY id
                 LIMIT 16
                 FOR UPDATE SKIP LOCKED)
    RETURNING id
)
UPDATE deliveries
SET holder = NULL, next_at = now()
FROM dead, distributions
WHERE holder = dead.id AND distributions.event_id = deliveries.event_id AND unsettled > 0
