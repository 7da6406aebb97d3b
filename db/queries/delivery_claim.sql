-- PENDING or READY -> COMMITTING, with a new attempt.
-- Effect: write
-- $1 event_id  $2 channel  $3 lease, ms
WITH claimed AS (
    UPDATE deliveries
    SET state = 'COMMITTING', attempts = attempts + 1, lease_until = now() + $3::bigint * interval '1 ms',
        remote_id = '', reason = '', message = '', started_at = now(), finished_at = NULL, updated_at = now()
    WHERE event_id = $1::uuid AND channel = $2::text AND state IN ('PENDING', 'READY')
    RETURNING event_id, channel, attempts, state, started_at
)
INSERT INTO delivery_attempts (event_id, channel, attempt, state, started_at)
SELECT event_id, channel, attempts, state, started_at
FROM claimed
