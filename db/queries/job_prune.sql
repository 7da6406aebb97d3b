-- Deletes jobs that ended long ago, with their pictures' rows, a batch at a time.
-- Effect: write
-- $1 age, s  $2 limit
DELETE FROM jobs
WHERE id = ANY (ARRAY(SELECT id
                      FROM jobs
                      WHERE status IN ('COMPLETED', 'FAILED') AND updated_at < now() - $1::bigint * interval '1 s'
                      ORDER BY updated_at
                      LIMIT $2::bigint
                      FOR UPDATE SKIP LOCKED))
