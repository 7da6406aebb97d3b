-- COMMITTING or RECONCILING -> the result, if the attempt is the last one; ends the attempt.
-- Effect: write
-- $1 event_id  $2 channel  $3 attempt  $4 state  $5 remote_id  $6 reason  $7 message
-- $8 started_at, NULL: as stored  $9 finished_at
WITH finished AS (
    UPDATE deliveries
    SET state = $4::text, remote_id = $5::text, reason = $6::text, message = $7::text, lease_until = '-infinity',
        started_at = COALESCE($8::timestamptz, started_at), finished_at = $9::timestamptz, updated_at = now()
    WHERE event_id = $1::uuid AND channel = $2::text AND attempts = $3::integer
      AND state IN ('COMMITTING', 'RECONCILING')
    RETURNING state, remote_id, reason, message, started_at, finished_at
), ended AS (
    UPDATE delivery_attempts
    SET state = finished.state, remote_id = finished.remote_id, reason = finished.reason, message = finished.message,
        started_at = COALESCE(finished.started_at, delivery_attempts.started_at), finished_at = finished.finished_at
    FROM finished
    WHERE event_id = $1::uuid AND channel = $2::text AND attempt = $3::integer
)
SELECT EXISTS (SELECT FROM finished) AS changed
