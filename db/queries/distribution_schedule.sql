-- Moves what is not sent to another instant.
-- Effect: write
-- $1 event_id  $2 scheduled_at  $3 time_zone  $4 how long it may take from then, ms
WITH moved AS (
    UPDATE deliveries
    SET state = 'DEFERRED', next_at = $2::timestamptz, reason = 'SCHEDULED',
        message = 'the delivery waits for its scheduled time', failures = 0, updated_at = now(),
        expires_at = $2::timestamptz + $4::bigint * interval '1 ms'
    WHERE event_id = $1::uuid AND next_at IS NOT NULL
      AND state IN ('PENDING', 'DEFERRED', 'PREPARING', 'READY', 'NEEDS_AUTH')
    RETURNING channel
), counted AS (
    UPDATE distributions
    SET scheduled_at = $2::timestamptz, time_zone = $3::text, version = version + 1, updated_at = now(),
        expires_at = $2::timestamptz + $4::bigint * interval '1 ms'
    WHERE event_id = $1::uuid AND EXISTS (SELECT FROM moved)
)
SELECT count(*) AS changed
FROM moved
