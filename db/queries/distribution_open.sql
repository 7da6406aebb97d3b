-- Makes an event's distribution with its deliveries, claimed or for later, unless it has one. Takes the call's signature with
-- it: without a new one nothing is made.
-- Effect: write
-- $1 event_id  $2 id  $3 owner  $4 content  $5 scheduled_at  $6 time_zone  $7 expires_at
-- each delivery: $8 channels  $9 states  $10 in how many ms any process may take it, not before $5; NULL: claimed  $11 reasons
-- $12 messages  $13 step_ids, what is prepared; empty: nothing
-- $14 holder  $15 created_at, when the attempts of those that are claimed begin; NULL: now
-- $16 signature, NULL: none is to be taken  $17 until when the memory of signatures must have begun
WITH signed AS (
    INSERT INTO signatures (signature)
    SELECT $16::bytea
    WHERE $16::bytea IS NOT NULL AND EXISTS (SELECT FROM signature_memory WHERE began_at <= $17::timestamptz)
    ON CONFLICT (signature) DO NOTHING
    RETURNING signature
), made AS (
    INSERT INTO distributions (event_id, id, owner, channels, content, unsettled, scheduled_at, time_zone, expires_at,
                               created_at)
    SELECT $1::uuid, $2::uuid, $3::text, $8::text[], $4::bytea, cardinality($8::text[]), $5::timestamptz, $6::text,
           $7::timestamptz, COALESCE($15::timestamptz, now())
    WHERE $16::bytea IS NULL OR EXISTS (SELECT FROM signed)
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id, expires_at, created_at
), opened AS (
    INSERT INTO deliveries (event_id, channel, state, reason, message, step_id, attempts, next_at, holder, started_at,
                            expires_at)
    SELECT made.event_id, plan.channel, plan.state, plan.reason, plan.message, plan.step_id,
           CASE WHEN plan.next_in_ms IS NULL THEN 1 ELSE 0 END,
           CASE WHEN plan.next_in_ms IS NOT NULL
                THEN GREATEST(LEAST(now() + plan.next_in_ms * interval '1 ms', made.expires_at), $5::timestamptz) END,
           CASE WHEN plan.next_in_ms IS NULL THEN $14::uuid END,
           CASE WHEN plan.next_in_ms IS NULL THEN made.created_at END,
           made.expires_at
    FROM made, unnest($8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[])
                   AS plan (channel, state, next_in_ms, reason, message, step_id)
), told AS (
    INSERT INTO delivery_steps (event_id, channel, attempt, step, state, started_at, finished_at)
    SELECT made.event_id, plan.channel, 1, 'PREPARED', plan.state, made.created_at, GREATEST(made.created_at, now())
    FROM made, unnest($8::text[], $9::text[], $13::text[]) AS plan (channel, state, step_id)
    WHERE plan.step_id <> ''
)
SELECT EXISTS (SELECT FROM made) AS made, $16::bytea IS NULL OR EXISTS (SELECT FROM signed) AS signed
