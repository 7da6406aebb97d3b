-- Leases an owner's unsent rows that are due, oldest first. A row waits while an older unsent row of its topic and key
-- is not due or is locked by another relay. The first NOT EXISTS finds rows that are not due, so that waiting rows do
-- not fill the batch. The second finds older rows that are not among the rows locked here.
-- Effect: write
-- $1 owner  $2 limit  $3 lease, ms
WITH locked AS (
    SELECT seq, topic, key
    FROM outbox AS candidate
    WHERE owner = $1::text AND sent_at IS NULL AND next_try_at <= now()
      AND NOT EXISTS (SELECT
                      FROM outbox AS older
                      WHERE older.topic = candidate.topic AND older.key = candidate.key AND older.sent_at IS NULL
                        AND older.seq < candidate.seq AND older.next_try_at > now())
    ORDER BY seq
    LIMIT $2::bigint
    FOR UPDATE SKIP LOCKED
), free AS (
    SELECT seq AS free_seq
    FROM locked
    WHERE NOT EXISTS (SELECT
                      FROM outbox AS older
                      WHERE older.topic = locked.topic AND older.key = locked.key AND older.sent_at IS NULL
                        AND older.seq < locked.seq
                        AND older.seq NOT IN (SELECT l.seq FROM locked AS l))
), taken AS (
    UPDATE outbox
    SET next_try_at = now() + $3::bigint * interval '1 ms', tries = tries + 1
    FROM free
    WHERE seq = free_seq
    RETURNING seq, id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value
)
SELECT id::text AS id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value
FROM taken
ORDER BY seq
