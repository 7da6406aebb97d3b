-- DRAFT -> APPROVED with the outbox row of EventCreated and the call's claim, if the draft is ready and its period is
-- not over; returns whether it was changed, was found, and names a time zone that exists.
-- Effect: write
-- $1 id  $2 user_id  $3 channels  $4 approved_at  $5 instance's id, NULL: none holds it  $6 from when a process may take
-- it, NULL: one holds it  $7 scheduled_at  $8 time_zone
-- outbox: $9 id  $10 kind  $11 owner  $12 topic  $13 key  $14 ce_type  $15 ce_source  $16 content_type  $17 ce_time
-- $18 value  $19 delay, ms
-- idempotency, $22 NULL: none: $20 method  $21 caller  $22 key  $23 request_hash
WITH changed AS (
    UPDATE event_drafts
    SET status = 'APPROVED', approved_at = $4::timestamptz, updated_at = now(), channels = $3::text[],
        holder = $5::uuid, attend_at = $6::timestamptz, scheduled_at = $7::timestamptz, time_zone = $8::text,
        end_at = ends_at, reconcile_attempts = 0, version = version + 1, held_at = now(),
        approve_ended_at = now(), approved_by = $5::uuid
    WHERE id = $1::uuid AND user_id = $2::text AND status = 'DRAFT'
      AND objective IS NOT NULL AND recommendation_id IS NOT NULL AND content_job_id IS NOT NULL
      AND (ends_at IS NULL OR ends_at > now())
      AND ($8::text = '' OR EXISTS (SELECT FROM time_zones WHERE name = $8::text))
    RETURNING id
), promised AS (
    INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
    SELECT $9::uuid, $10::text, $11::text, $12::text, $13::text, $14::text, $15::text, $16::text, $17::timestamptz,
           $18::bytea, now() + $19::bigint * interval '1 ms'
    FROM changed
), claimed AS (
    INSERT INTO idempotency (method, caller, key, request_hash, answered)
    SELECT $20::text, $21::text, $22::text, $23::bytea, false
    FROM changed
    WHERE $22::text IS NOT NULL
    ON CONFLICT ON CONSTRAINT idempotency_key DO UPDATE SET request_hash = EXCLUDED.request_hash
)
SELECT EXISTS (SELECT FROM changed) AS changed,
       EXISTS (SELECT FROM event_drafts WHERE id = $1::uuid AND user_id = $2::text) AS found,
       $8::text = '' OR EXISTS (SELECT FROM time_zones WHERE name = $8::text) AS zone_known
