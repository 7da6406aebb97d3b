-- Inserts a PENDING job, the outbox row of its record and the reply of the call. Conflicts with any row of the key. Returns the
-- time of the job and of its record.
-- Effect: write
-- $1 id  $2 event_draft_id  $3 user_id  $4 created_at, NULL: now  $5 time without a report after which the record is sent again, ms
-- outbox: $6 id  $7 kind  $8 owner  $9 topic  $10 key  $11 ce_type  $12 ce_source  $13 content_type  $14 ce_time, NULL: now
-- $15 value  $16 delay, ms
-- idempotency, $19 NULL: none: $17 method  $18 caller  $19 key  $20 request_hash  $21 reply
WITH stored AS (
    INSERT INTO idempotency (method, caller, key, request_hash, reply)
    SELECT $17::text, $18::text, $19::text, $20::bytea, $21::bytea
    WHERE $19::text IS NOT NULL
), promised AS (
    INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
    VALUES ($6::uuid, $7::text, $8::text, $9::text, $10::text, $11::text, $12::text, $13::text, COALESCE($14::timestamptz, now()),
            $15::bytea, now() + $16::bigint * interval '1 ms')
)
INSERT INTO jobs (id, event_draft_id, user_id, created_at, updated_at, record_id, record_type, record_value, resend_ms,
                  resend_at)
VALUES ($1::uuid, $2::uuid, $3::text, COALESCE($4::timestamptz, now()), COALESCE($4::timestamptz, now()), $6::uuid, $13::text,
        $15::bytea, $5::bigint, now() + $5::bigint * interval '1 ms')
RETURNING created_at
