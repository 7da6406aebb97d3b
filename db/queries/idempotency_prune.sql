-- Deletes old replies and claims of ONCE calls, a batch at a time. A claim outlives any call that may have made it. A reply may
-- have the time of its claim, if that was made in the last ten seconds before it: the index then need not be written again.
-- Effect: write
-- $1 age, s  $2 limit
DELETE FROM idempotency
WHERE ctid IN (SELECT ctid
               FROM idempotency
               WHERE created_at < now() - ($1::bigint + 10) * interval '1 s'
                 AND (answered OR created_at < now() - interval '15 minutes')
               ORDER BY created_at
               LIMIT $2::bigint
               FOR UPDATE SKIP LOCKED)
