-- Takes distributions of which a report is due; they are due again after the lease.
-- Effect: write
-- $1 limit  $2 lease, ms
WITH due AS (
    SELECT event_id AS due_event
    FROM distributions
    WHERE report_at <= now()
    ORDER BY report_at
    LIMIT $1::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE distributions
SET report_at = now() + $2::bigint * interval '1 ms'
FROM due
WHERE event_id = due_event
RETURNING event_id::text AS event_id
