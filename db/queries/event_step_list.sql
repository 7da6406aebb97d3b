-- Reads what a timeline of a user's event is made of: in each row the event's state, and one step of its own row that has ended; in
-- the only row none, where there is none yet. One statement, so that a step that has ended is not also under way.
-- Effect: read
-- $1 id  $2 user_id  $3 topic of EventCreated
SELECT status, event_drafts.created_at AS created_at, approved_at, published_at, event_drafts.ended_at AS ended_at, event_drafts.version AS version, holder::text AS holder, held_at,
       approve_ended_at, approved_by::text AS approved_by, distributed_at, distributed_by::text AS distributed_by, attend_at, now() AS read_at,
       created.created_at AS created_record_at, created.tries AS created_tries, created.next_try_at AS created_next_at,
       cache.created_at AS cache_record_at, cache.tries AS cache_tries, cache.next_try_at AS cache_next_at,
       step, event_steps.at AS at, event_steps.ended_at AS step_ended_at, reason, message, next_at, taken_by::text AS taken_by
FROM event_drafts
LEFT JOIN LATERAL (SELECT outbox.created_at, tries, next_try_at
                   FROM outbox
                   WHERE topic = $3::text AND key = $1::uuid::text AND sent_at IS NULL
                   ORDER BY seq
                   LIMIT 1) AS created ON true
LEFT JOIN LATERAL (SELECT outbox.created_at, tries, next_try_at
                   FROM outbox
                   WHERE topic = '' AND key = 'purpose:' || $2::text AND sent_at IS NULL
                     AND value = convert_to($1::uuid::text, 'UTF8')
                   ORDER BY seq
                   LIMIT 1) AS cache ON true
LEFT JOIN event_steps ON event_id = id
WHERE id = $1::uuid AND user_id = $2::text
ORDER BY event_steps.number
