-- Buries dead processes and releases the deliveries that they held.
-- Effect: write
-- Row: burial
-- $1 service  $2 whether the end of a session counts
WITH dead AS MATERIALIZED (
    SELECT bury_instances($1::text, $2::boolean) AS dead_id
), released AS (
    UPDATE deliveries
    SET holder = NULL, next_at = now()
    FROM dead, distributions
    WHERE holder = dead_id AND distributions.event_id = deliveries.event_id AND unsettled > 0
    RETURNING 1
)
SELECT (SELECT count(*) FROM dead) AS buried, (SELECT count(*) FROM released) AS released
