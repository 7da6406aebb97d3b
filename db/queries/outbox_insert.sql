-- Inserts an outbox row, in the transaction of the statement before it.
-- Effect: write
-- $1 id  $2 kind  $3 owner  $4 topic  $5 key  $6 ce_type  $7 ce_source  $8 content_type  $9 ce_time  $10 value
-- $11 delay, ms
INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, COALESCE($9::timestamptz, now()), $10::bytea,
        now() + $11::bigint * interval '1 ms')
