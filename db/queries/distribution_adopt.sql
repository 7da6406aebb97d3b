-- Releases deliveries that name a process which has no row: it claimed them while its lease ran out.
-- Effect: write
UPDATE deliveries
SET holder = NULL, next_at = now()
FROM distributions
WHERE unsettled > 0 AND distributions.event_id = deliveries.event_id AND holder IS NOT NULL
  AND NOT EXISTS (SELECT FROM instances WHERE id = holder)
