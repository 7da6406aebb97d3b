-- Deletes events that ended long ago, with their steps, a batch at a time. Their distributions stay: they keep a post from being
-- made again.
-- Effect: write
-- $1 age, s  $2 limit
WITH chosen AS (
    SELECT array_agg(id) AS ids
    FROM (SELECT id
          FROM event_drafts
          WHERE status = 'ENDED' AND ended_at < now() - $1::bigint * interval '1 s'
          ORDER BY ended_at
          LIMIT $2::bigint
          FOR UPDATE SKIP LOCKED) AS over
), told AS (
    DELETE FROM event_steps
    WHERE event_id = ANY ((SELECT ids FROM chosen)::uuid[])
)
DELETE FROM event_drafts
WHERE id = ANY ((SELECT ids FROM chosen)::uuid[])
