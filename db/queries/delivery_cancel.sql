-- Cancels deliveries that are not sent: those that no process holds, and that cannot have been posted.
-- Effect: write
-- $1 event_id  $2 channel; NULL: all  $3 delay of the report, ms
WITH gone AS (
    UPDATE deliveries
    SET state = 'CANCELLED', settled = true, next_at = NULL, reason = 'CANCELLED',
        message = 'the delivery was cancelled before it was sent', updated_at = now()
    WHERE event_id = $1::uuid AND channel = COALESCE($2::text, channel) AND next_at IS NOT NULL
      AND state IN ('PENDING', 'DEFERRED', 'PREPARING', 'READY', 'NEEDS_AUTH')
    RETURNING channel, attempts, state, reason, message
), step AS (
    INSERT INTO delivery_steps (event_id, channel, attempt, step, state, reason, message, started_at, finished_at)
    SELECT $1::uuid, channel, attempts, 'CANCELLED', state, reason, message, now(), now()
    FROM gone
), counted AS (
    UPDATE distributions
    SET unsettled = unsettled - (SELECT count(*) FROM gone), version = version + 1, updated_at = now(),
        report_at = LEAST(report_at, now() + $3::bigint * interval '1 ms')
    WHERE event_id = $1::uuid AND EXISTS (SELECT FROM gone)
)
SELECT count(*) AS changed
FROM gone
