-- Stores the reply of a ONCE call whose key nobody claims, since it has one transaction. Conflicts with any row.
-- Effect: write
-- $1 method  $2 caller  $3 key  $4 request_hash  $5 reply
INSERT INTO idempotency (method, caller, key, request_hash, reply)
VALUES ($1::text, $2::text, $3::text, $4::bytea, $5::bytea)
