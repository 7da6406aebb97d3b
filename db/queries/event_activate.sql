-- APPROVED -> ACTIVE with the results, the end of the distribution call, the outbox row of the cache deletion and the reply for a
-- repeat of the call; returns whether it was changed, and whether the reply was stored: not where the key is answered or another
-- request's.
-- Effect: write
-- $1 id  $2 user_id  $3 results  outbox: $4 id  $5 kind  $6 owner  $7 topic  $8 key  $9 ce_type  $10 ce_source
-- $11 content_type  $12 ce_time  $13 value  $14 delay, ms
-- idempotency, $17 NULL: none: $15 method  $16 caller  $17 key  $18 request_hash  $19 reply
-- $20 when the distribution call ended  $21 instance's id
WITH changed AS (
    UPDATE event_drafts
    SET status = 'ACTIVE', published_at = now(), updated_at = now(), results = $3::bytea,
        holder = NULL, attend_at = NULL, version = version + 1, distributed_at = $20::timestamptz,
        distributed_by = $21::uuid
    WHERE id = $1::uuid AND user_id = $2::text AND status = 'APPROVED'
    RETURNING id
), promised AS (
    INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
    SELECT $4::uuid, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text, COALESCE($12::timestamptz, now()),
           $13::bytea, now() + $14::bigint * interval '1 ms'
    FROM changed
), stored AS (
    INSERT INTO idempotency (method, caller, key, request_hash, reply)
    SELECT $15::text, $16::text, $17::text, $18::bytea, $19::bytea
    FROM changed
    WHERE $17::text IS NOT NULL
    ON CONFLICT ON CONSTRAINT idempotency_key
    DO UPDATE SET reply = EXCLUDED.reply, answered = true,
                  created_at = CASE WHEN idempotency.created_at < now() - interval '10 s' THEN now() ELSE idempotency.created_at END
    WHERE NOT idempotency.answered AND idempotency.request_hash = EXCLUDED.request_hash
    RETURNING 1
)
SELECT EXISTS (SELECT FROM changed) AS changed, EXISTS (SELECT FROM stored) AS stored
