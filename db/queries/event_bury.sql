-- Buries dead processes and releases the events of holders that have no row. It visits each holder once in the index of
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
    SET holder = NULL, attend_at = now()
    FROM gone
    WHERE holder = gone.name AND holder IS NOT NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM dead) AS buried, (SELECT count(*) FROM released) AS released
