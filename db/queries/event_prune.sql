-- Deletes events that ended long ago, a batch at a time. Their distributions stay: they keep a post from being made again.
-- Effect: write
-- $1 age, s  $2 limit
DELETE FROM event_drafts
WHERE id = ANY (ARRAY(SELECT id
                      FROM event_drafts
                      WHERE status = 'ENDED' AND ended_at < now() - $1::bigint * interval '1 s'
                      ORDER BY ended_at
                      LIMIT $2::bigint
                      FOR UPDATE SKIP LOCKED))
