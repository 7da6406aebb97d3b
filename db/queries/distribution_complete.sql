-- Completes a round once, with the outbox row of DistributionCompleted.
-- Effect: write
-- $1 id  outbox: $2 id  $3 kind  $4 owner  $5 topic  $6 key  $7 ce_type  $8 ce_source  $9 content_type  $10 ce_time
-- $11 value  $12 delay, ms
WITH changed AS (
    UPDATE distributions
    SET completed_at = now(), updated_at = now()
    WHERE id = $1::uuid AND completed_at IS NULL
    RETURNING id
), promised AS (
    INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
    SELECT $2::uuid, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::timestamptz,
           $11::bytea, now() + $12::bigint * interval '1 ms'
    FROM changed
)
SELECT EXISTS (SELECT FROM changed) AS changed
