-- Names APPROVED events that a process may take, among the oldest ones that are due. Chance keeps loops and processes
-- from naming the same ones.
-- Effect: read
-- $1 limit
SELECT id::text AS id
FROM (SELECT id
      FROM event_drafts
      WHERE attend_at <= now()
      ORDER BY attend_at
      LIMIT 8 * $1::bigint) AS due
ORDER BY random()
LIMIT $1::bigint
