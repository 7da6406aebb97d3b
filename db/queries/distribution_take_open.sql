-- Takes idle open rounds: not taken lately, no attempt in progress, no delivery changed lately.
-- Effect: write
-- Row: distribution
-- $1 limit  $2 idle, ms
WITH idle AS (
    SELECT seq AS idle_seq
    FROM distributions
    WHERE is_open AND updated_at <= now() - $2::bigint * interval '1 ms'
      AND NOT EXISTS (SELECT
                      FROM deliveries
                      WHERE deliveries.event_id = distributions.event_id
                        AND (lease_until > now()
                             OR deliveries.updated_at > now() - $2::bigint * interval '1 ms'))
    ORDER BY updated_at
    LIMIT $1::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE distributions
SET updated_at = now()
FROM idle
WHERE seq = idle_seq
RETURNING id::text AS id, event_id::text AS event_id, completed_at IS NOT NULL AS completed,
       array_to_string(channels, ',') AS channels, content
