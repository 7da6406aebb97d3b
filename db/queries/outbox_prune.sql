-- Deletes rows sent long ago, a batch at a time.
-- Effect: write
-- $1 age, s  $2 limit
DELETE FROM outbox
WHERE id IN (SELECT id
             FROM outbox
             WHERE sent_at < now() - $1::bigint * interval '1 s'
             ORDER BY sent_at
             LIMIT $2::bigint
             FOR UPDATE SKIP LOCKED)
