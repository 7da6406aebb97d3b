-- Releases an APPROVED event; another process may take it later, or never. Its owner may publish it at once. A call of the
-- distribution service that has ended is kept as a step, unless the event has too many.
-- Effect: write
-- $1 id  $2 instance's id  $3 until a process may take it, ms, NULL: never
-- the call, $4 NULL: none was made: $4 ended_at  $5 reason, empty: it succeeded  $6 message
WITH released AS (
    UPDATE event_drafts
    SET holder = NULL, attend_at = now() + $3::bigint * interval '1 ms', version = version + 1
    WHERE id = $1::uuid AND status = 'APPROVED' AND holder IS NOT DISTINCT FROM $2::uuid
    RETURNING id, held_at, attend_at
), told AS (
    INSERT INTO event_steps (event_id, step, at, ended_at, reason, message, next_at, taken_by)
    SELECT id, 'DISTRIBUTE_CALLED', COALESCE(held_at, $4::timestamptz), $4::timestamptz, $5::text, $6::text, attend_at, $2::uuid
    FROM released
    WHERE $4::timestamptz IS NOT NULL AND (SELECT count(*) FROM event_steps WHERE event_id = $1::uuid) < 500
)
SELECT count(*) AS released
FROM released
