-- Stores the reply of a ONCE call, in its claim if there is one. Conflicts with another request or a stored reply.
-- Effect: write
-- $1 method  $2 caller  $3 key  $4 request_hash  $5 reply
INSERT INTO idempotency (method, caller, key, request_hash, reply)
VALUES ($1::text, $2::text, $3::text, $4::bytea, $5::bytea)
ON CONFLICT ON CONSTRAINT idempotency_key
DO UPDATE SET request_hash = EXCLUDED.request_hash, reply = EXCLUDED.reply, answered = true,
              created_at = CASE WHEN idempotency.created_at < now() - interval '10 s' THEN now() ELSE idempotency.created_at END
