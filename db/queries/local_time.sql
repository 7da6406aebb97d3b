-- Finds the instant of a wall-clock time.
-- Effect: read
-- $1 time zone  $2 wall-clock time; NULL: only the zone is checked
WITH zone AS (
    SELECT name
    FROM time_zones
    WHERE name = $1::text
), instant AS (
    SELECT $2::text::timestamp AS local, $2::text::timestamp AT TIME ZONE name AS at, name
    FROM zone
)
SELECT EXISTS (SELECT FROM zone) AS known,
       (SELECT at FROM instant) AS at,
       COALESCE((SELECT at AT TIME ZONE name = local FROM instant), true) AS exists_there,
       EXISTS (SELECT
               FROM instant, unnest(ARRAY['30 minutes', '1 hour', '2 hours']::interval[]) AS shift (step)
               WHERE local IN ((at - step) AT TIME ZONE name, (at + step) AT TIME ZONE name)) AS twice
