-- Deletes signatures taken long ago, a batch at a time.
-- Effect: write
-- $1 age, s  $2 limit
DELETE FROM signatures
WHERE ctid IN (SELECT ctid
               FROM signatures
               WHERE taken_at < now() - $1::bigint * interval '1 s'
               ORDER BY taken_at
               LIMIT $2::bigint
               FOR UPDATE SKIP LOCKED)
