-- Deletes a process's row and releases the deliveries that it held.
-- Effect: write
-- $1 id  $2 service
WITH gone AS (
    DELETE FROM instances
    WHERE id = $1::uuid AND service = $2::text
    RETURNING id
)
UPDATE deliveries
SET holder = NULL, next_at = now()
FROM gone, distributions
WHERE holder = gone.id AND distributions.event_id = deliveries.event_id AND unsettled > 0
