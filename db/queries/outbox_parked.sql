-- How many rows of an owner are set aside, and the oldest of them.
-- Effect: read
-- $1 owner
SELECT count(*) OVER () AS rows, topic, octet_length(value) AS bytes, parked_why AS why
FROM outbox
WHERE owner = $1::text AND parked_at IS NOT NULL
ORDER BY parked_at
LIMIT 1
