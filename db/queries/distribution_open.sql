-- Makes the event's next round, unless one is open or the last one has been completed with a delivery accepted; an open
-- round gets the new channels.
-- Effect: write
-- $1 event_id  $2 id of the new round  $3 channels  $4 content
WITH last AS (
    SELECT seq, channels, completed_at
    FROM distributions
    WHERE event_id = $1::uuid
    ORDER BY seq DESC
    LIMIT 1
), widened AS (
    UPDATE distributions
    SET channels = last.channels || ARRAY(SELECT wanted
                                          FROM unnest($3::text[]) WITH ORDINALITY AS wish (wanted, place)
                                          WHERE wanted <> ALL (last.channels)
                                          ORDER BY place),
        updated_at = now()
    FROM last
    WHERE distributions.seq = last.seq AND last.completed_at IS NULL
)
INSERT INTO distributions (id, event_id, channels, content)
SELECT $2::uuid, $1::uuid, $3::text[], $4::bytea
WHERE NOT EXISTS (SELECT FROM last WHERE completed_at IS NULL)
  AND NOT EXISTS (SELECT
                  FROM last, deliveries
                  WHERE event_id = $1::uuid AND state IN ('PUBLISHED', 'AWAITING_OPERATOR'))
