-- Stores the id of the last job and the reply for a repeat of the call; counts the changed drafts.
-- Effect: write
-- $1 id  $2 user_id  $3 job_id  idempotency, $6 NULL: none: $4 method  $5 caller  $6 key  $7 request_hash  $8 reply
WITH changed AS (
    UPDATE event_drafts
    SET image_job_id = $3::uuid, updated_at = now(), version = version + 1
    WHERE id = $1::uuid AND user_id = $2::text AND status = 'DRAFT'
    RETURNING id
), stored AS (
    INSERT INTO idempotency (method, caller, key, request_hash, reply)
    SELECT $4::text, $5::text, $6::text, $7::bytea, $8::bytea
    FROM changed
    WHERE $6::text IS NOT NULL
    ON CONFLICT ON CONSTRAINT idempotency_key
    DO UPDATE SET request_hash = EXCLUDED.request_hash, reply = EXCLUDED.reply, answered = true,
                  created_at = CASE WHEN idempotency.created_at < now() - interval '10 s' THEN now() ELSE idempotency.created_at END
)
SELECT count(*) AS changed FROM changed
