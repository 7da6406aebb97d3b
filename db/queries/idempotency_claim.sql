-- Binds the key of a ONCE call to its request before the reply. Conflicts with another request or a stored reply.
-- Effect: write
-- $1 method  $2 caller  $3 key  $4 request_hash
INSERT INTO idempotency (method, caller, key, request_hash, answered)
VALUES ($1::text, $2::text, $3::text, $4::bytea, false)
ON CONFLICT ON CONSTRAINT idempotency_key DO UPDATE SET request_hash = EXCLUDED.request_hash
