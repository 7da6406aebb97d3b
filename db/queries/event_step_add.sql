-- Keeps steps that have ended, of events that are there and do not have too many of them.
-- Effect: write
-- each step: $1 event_ids  $2 steps  $3 at, us since 1970  $4 ended, likewise  $5 reasons  $6 messages  $7 the process
WITH late AS (
    SELECT *
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
             AS late (of_event, of_step, began_us, ended_us, of_reason, of_message)
), open AS (
    SELECT named AS open_event
    FROM (SELECT DISTINCT of_event AS named FROM late) AS events
    WHERE EXISTS (SELECT FROM event_drafts WHERE id = named)
      AND (SELECT count(*) FROM event_steps WHERE event_id = named) < 500
)
INSERT INTO event_steps (event_id, step, at, ended_at, reason, message, taken_by)
SELECT of_event, of_step, timestamptz 'epoch' + began_us * interval '1 us', timestamptz 'epoch' + ended_us * interval '1 us',
       of_reason, of_message, $7::uuid
FROM late
JOIN open ON open_event = of_event
