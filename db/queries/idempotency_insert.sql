-- Stores the reply of a ONCE call that has one transaction and so makes no claim. Conflicts with any row of the key.
-- Effect: write
-- $1 method  $2 caller  $3 key  $4 request_hash  $5 reply
INSERT INTO idempotency (method, caller, key, request_hash, reply)
VALUES ($1::text, $2::text, $3::text, $4::bytea, $5::bytea)
