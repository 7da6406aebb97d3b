-- Leases an owner's unsent rows that are due, oldest first. A row waits while an older unsent row of its topic and key
-- is not due or is locked by another relay. The first look at older rows finds those that are not due, so that waiting
-- rows do not fill the batch. The second finds older rows that are not among the rows locked here. Rows that are set aside
-- hold up no others.
-- (The planner cannot know how few rows are taken. A look for one row, as a subquery, and an array keep it from joining
-- with all that is unsent or sent.)
-- Effect: write
-- $1 owner  $2 limit  $3 lease, ms
WITH locked AS (
    SELECT id, seq, topic, key
    FROM outbox AS candidate
    WHERE owner = $1::text AND sent_at IS NULL AND next_try_at <= now()
      AND (SELECT true
           FROM outbox AS older
           WHERE older.topic = candidate.topic AND older.key = candidate.key AND older.sent_at IS NULL
             AND older.parked_at IS NULL AND older.seq < candidate.seq AND older.next_try_at > now()
           LIMIT 1) IS NULL
    ORDER BY owner, seq
    LIMIT $2::bigint
    FOR UPDATE SKIP LOCKED
), chosen AS (
    SELECT array_agg(locked.id) AS ids
    FROM locked
    WHERE (SELECT true
           FROM outbox AS older
           WHERE older.topic = locked.topic AND older.key = locked.key AND older.sent_at IS NULL
             AND older.parked_at IS NULL AND older.seq < locked.seq AND older.id <> ALL (ARRAY(SELECT l.id FROM locked AS l))
           LIMIT 1) IS NULL
), taken AS (
    UPDATE outbox
    SET next_try_at = now() + $3::bigint * interval '1 ms', tries = tries + 1
    WHERE id = ANY ((SELECT ids FROM chosen)::uuid[])
    RETURNING seq, id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, parked_at
)
SELECT id::text AS id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value,
       parked_at IS NOT NULL AS parked
FROM taken
ORDER BY seq
