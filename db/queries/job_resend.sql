-- Puts the records of jobs without a report for too long into the outbox again, under their ids. A record that still waits
-- there is left alone. The next look at such a job comes after twice the time, at most 64 times as long.
-- Effect: write
-- $1 topic  $2 ce_type  $3 ce_source  $4 limit
WITH lost AS (
    SELECT id AS job_id, record_id, record_type, record_value, created_at
    FROM jobs
    WHERE resend_at <= now() AND status IN ('PENDING', 'RUNNING')
    ORDER BY resend_at
    LIMIT $4::bigint
    FOR UPDATE SKIP LOCKED
), sent AS (
    INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
    SELECT record_id, 'KAFKA', 'job', $1::text, job_id::text, $2::text, $3::text, record_type, created_at, record_value, now()
    FROM lost
    ON CONFLICT (id) DO NOTHING
    RETURNING id AS sent_id
)
UPDATE jobs
SET resends = resends + 1, resend_at = now() + (resend_ms << LEAST(resends + 1, 6)) * interval '1 ms'
FROM lost
LEFT JOIN sent ON sent_id = lost.record_id
WHERE id = job_id
RETURNING id::text AS id, (sent_id IS NOT NULL)::integer AS sent
