-- Deletes the rows of processes that have died and releases the events of holders that are not alive. It visits each
-- holder once in the index of holders, not each event: a claim that was committed after its process was buried is found
-- too.
-- Effect: write
-- $1 service
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
), dead AS (
    DELETE FROM instances
    WHERE service = $1::text AND alive_until < now()
), gone AS (
    SELECT name
    FROM holders
    WHERE name IS NOT NULL
      AND NOT EXISTS (SELECT FROM instances WHERE instances.id = holders.name AND alive_until >= now())
)
UPDATE event_drafts
SET holder = NULL, attend_at = now()
FROM gone
WHERE holder = gone.name AND holder IS NOT NULL
