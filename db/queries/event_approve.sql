-- DRAFT -> APPROVED with the outbox row of EventCreated and the call's claim, if the draft is ready; returns whether it
-- was changed and was found.
-- Effect: write
-- $1 id  $2 user_id  $3 channels  $4 approved_at  $5 lease, ms  outbox: $6 id  $7 kind  $8 owner  $9 topic  $10 key
-- $11 ce_type  $12 ce_source  $13 content_type  $14 ce_time  $15 value  $16 delay, ms
-- idempotency, $19 NULL: none: $17 method  $18 caller  $19 key  $20 request_hash
WITH changed AS (
    UPDATE event_drafts
    SET status = 'APPROVED', approved_at = $4::timestamptz, updated_at = now(), channels = $3::text[],
        lease_until = now() + $5::bigint * interval '1 ms', reconcile_at = now(), reconcile_attempts = 0
    WHERE id = $1::uuid AND user_id = $2::text AND status = 'DRAFT'
      AND objective IS NOT NULL AND recommendation_id IS NOT NULL AND content_job_id IS NOT NULL
    RETURNING id
), promised AS (
    INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
    SELECT $6::uuid, $7::text, $8::text, $9::text, $10::text, $11::text, $12::text, $13::text, $14::timestamptz,
           $15::bytea, now() + $16::bigint * interval '1 ms'
    FROM changed
), claimed AS (
    INSERT INTO idempotency (method, caller, key, request_hash, answered)
    SELECT $17::text, $18::text, $19::text, $20::bytea, false
    FROM changed
    WHERE $19::text IS NOT NULL
    ON CONFLICT ON CONSTRAINT idempotency_key DO UPDATE SET request_hash = EXCLUDED.request_hash
)
SELECT EXISTS (SELECT FROM changed) AS changed,
       EXISTS (SELECT FROM event_drafts WHERE id = $1::uuid AND user_id = $2::text) AS found
