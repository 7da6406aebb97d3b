-- Makes deliveries EXPIRED whose time has ended while nothing could be sent to their channel; in the distributions, it
-- counts them settled.
-- Effect: write
-- $1 limit  $2 delay of the report, ms
WITH over AS (
    SELECT event_id AS over_event, channel AS over_channel
    FROM deliveries
    WHERE next_at <= now() AND expires_at <= now()
      AND state NOT IN ('COMMITTING', 'OUTCOME_UNKNOWN', 'RECONCILING')
    ORDER BY next_at
    LIMIT $1::bigint
    FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE deliveries
    SET state = 'EXPIRED', settled = true, next_at = NULL, updated_at = now()
    FROM over
    WHERE event_id = over_event AND channel = over_channel
    RETURNING event_id AS ended_event
), counts AS (
    SELECT ended_event, count(*) AS ended_count
    FROM ended
    GROUP BY ended_event
)
UPDATE distributions
SET unsettled = unsettled - ended_count, version = version + 1, updated_at = now(),
    report_at = LEAST(report_at, now() + $2::bigint * interval '1 ms')
FROM counts
WHERE event_id = ended_event
