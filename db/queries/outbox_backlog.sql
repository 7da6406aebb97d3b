-- Counts an owner's unsent rows, with the age of the oldest.
-- Effect: read
-- $1 owner
SELECT count(*) AS unsent,
       COALESCE(floor(extract(epoch FROM now() - min(created_at)) * 1000), 0)::bigint AS oldest_ms
FROM outbox
WHERE owner = $1::text AND sent_at IS NULL
