-- Reads the stored reply of a ONCE call, or its claim.
-- Effect: read by key
-- $1 method  $2 caller  $3 key
SELECT request_hash, reply, answered
FROM idempotency
WHERE caller = $2::text AND method = $1::text AND key = $3::text
