-- Deletes old replies of ONCE calls, a batch at a time.
-- Effect: write
-- $1 age, s  $2 limit
DELETE FROM idempotency
WHERE ctid IN (SELECT ctid
               FROM idempotency
               WHERE created_at < now() - $1::bigint * interval '1 s'
               ORDER BY created_at
               LIMIT $2::bigint
               FOR UPDATE SKIP LOCKED)
