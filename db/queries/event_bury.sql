-- Buries dead processes and releases the events of holders that have no row; what these were doing is kept as a step that did not
-- end. It visits each holder once in the index of
-- holders, not each event: a claim that was committed after its process was buried is found too.
-- Effect: write
-- Row: burial
-- $1 service  $2 whether the end of a session counts
WITH RECURSIVE holders AS (
    (SELECT holder AS name
     FROM event_drafts
     WHERE holder IS NOT NULL
     ORDER BY holder
     LIMIT 1)
    UNION ALL
    SELECT (SELECT holder
            FROM event_drafts
            WHERE holder IS NOT NULL AND holder > holders.name
            ORDER BY holder
            LIMIT 1)
    FROM holders
    WHERE holders.name IS NOT NULL
), dead AS MATERIALIZED (
    SELECT bury_instances($1::text, $2::boolean) AS dead_id
), gone AS (
    SELECT name
    FROM holders
    WHERE name IS NOT NULL
      AND (NOT EXISTS (SELECT FROM instances WHERE instances.id = holders.name) OR name IN (SELECT dead_id FROM dead))
), released AS (
    UPDATE event_drafts
    SET holder = NULL, attend_at = now(), version = version + 1
    FROM gone
    WHERE holder = gone.name AND holder IS NOT NULL
    RETURNING id, held_at, gone.name AS holder_name
), told AS (
    INSERT INTO event_steps (event_id, step, at, reason, next_at, taken_by)
    SELECT id, 'DISTRIBUTE_CALLED', COALESCE(held_at, now()), 'PROCESS_ENDED', now(), holder_name
    FROM released
)
SELECT (SELECT count(*) FROM dead) AS buried, (SELECT count(*) FROM released) AS released
