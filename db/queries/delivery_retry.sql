-- Begins deliveries anew that are over without a post, and makes those due that wait for a failure to end; what waits
-- for its scheduled time, or for the morning, still does.
-- Effect: write
-- $1 event_id  $2 channel; NULL: all  $3 how long they may take, ms  $4 delay of the report, ms
WITH found AS (
    SELECT channel AS found_channel, settled AS was_settled
    FROM deliveries
    WHERE event_id = $1::uuid AND channel = COALESCE($2::text, channel)
      AND (state IN ('REJECTED', 'EXPIRED', 'CANCELLED')
           OR next_at IS NOT NULL AND reason NOT IN ('SCHEDULED', 'QUIET_HOURS'))
    ORDER BY channel
    FOR UPDATE
), again AS (
    UPDATE deliveries
    SET state = CASE WHEN settled OR state = 'NEEDS_AUTH' THEN 'READY' ELSE state END,
        failures = 0, next_at = now(), settled = false, updated_at = now(),
        step_id = CASE WHEN settled THEN '' ELSE step_id END,
        reason = CASE WHEN settled THEN '' ELSE reason END,
        message = CASE WHEN settled THEN '' ELSE message END,
        expires_at = GREATEST(expires_at, now() + $3::bigint * interval '1 ms')
    FROM found
    WHERE event_id = $1::uuid AND channel = found_channel
    RETURNING was_settled, channel, attempts, state
), step AS (
    INSERT INTO delivery_steps (event_id, channel, attempt, step, state, started_at, finished_at)
    SELECT $1::uuid, channel, attempts, 'RETRIED', state, now(), now()
    FROM again
), counted AS (
    UPDATE distributions
    SET unsettled = unsettled + (SELECT count(*) FROM again WHERE was_settled), version = version + 1,
        updated_at = now(), report_at = LEAST(report_at, now() + $4::bigint * interval '1 ms')
    WHERE event_id = $1::uuid AND EXISTS (SELECT FROM again)
)
SELECT count(*) AS changed
FROM again
