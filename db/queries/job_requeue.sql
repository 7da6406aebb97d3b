-- Begins a FAILED job anew: as it was accepted, with its record in the outbox again, under another id, and the reply for a
-- repeat of the call. Its pictures are to be made again. Nothing happens where the job has moved on since it was read, or has no
-- record.
-- Effect: write
-- $1 id  $2 version that it must have  $3 updated_at  $4 ce_id of the record  $5 topic  $6 ce_type  $7 ce_source
-- $8 delay of the record, ms
-- idempotency, $11 NULL: none: $9 method  $10 caller  $11 key  $12 request_hash  $13 reply
WITH begun AS (
    UPDATE jobs
    SET status = 'PENDING', progress_percent = 0, failure = '', warnings = '', version = version + 1, updated_at = $3::timestamptz,
        attempts = 0, attempt_id = NULL, record_id = $4::uuid, resends = 0, requeues = requeues + 1,
        resend_at = now() + resend_ms * interval '1 ms'
    WHERE id = $1::uuid AND status = 'FAILED' AND version = $2::bigint AND record_value IS NOT NULL
    RETURNING id, record_id, record_type, record_value, created_at
), cleared AS (
    DELETE FROM job_pictures
    WHERE job_id IN (SELECT id FROM begun)
), sent AS (
    INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
    SELECT record_id, 'KAFKA', 'job', $5::text, id::text, $6::text, $7::text, record_type, created_at, record_value,
           now() + $8::bigint * interval '1 ms'
    FROM begun
), stored AS (
    INSERT INTO idempotency (method, caller, key, request_hash, reply)
    SELECT $9::text, $10::text, $11::text, $12::bytea, $13::bytea
    FROM begun
    WHERE $11::text IS NOT NULL
)
SELECT count(*) AS requeued
FROM begun
