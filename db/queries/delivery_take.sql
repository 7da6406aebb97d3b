-- Takes due deliveries, at most so many of each channel, and claims them. What can be posted gets a new attempt: it is
-- COMMITTING, or PREPARING where the channel needs steps before the post. What may have been posted is RECONCILING. What
-- is expired keeps its state.
-- (The arrays keep the planner from reading the whole table: it cannot know how few are taken.)
-- For a probe, what waits for the cause of a pause counts as due.
-- Effect: write
-- $1 holder  each channel: $2 channels  $3 how many  $4 whether it needs steps before the post  $5 whether it is a probe
WITH found AS (
    SELECT array_agg(found.event_id) AS events, array_agg(found.channel) AS channels, array_agg(wanted.steps) AS steps
    FROM unnest($2::text[], $3::bigint[], $4::boolean[], $5::boolean[]) AS wanted (channel, most, steps, probe)
    CROSS JOIN LATERAL (SELECT event_id, channel
                        FROM deliveries
                        WHERE deliveries.channel = wanted.channel
                          AND next_at <= CASE WHEN wanted.probe THEN 'infinity' ELSE now() END
                          AND (NOT wanted.probe OR next_at <= now()
                               OR reason IN ('CHANNEL_NEEDS_AUTH', 'CHANNEL_PAUSED', 'CLOCK_SKEW', 'CHANNEL_DISABLED'))
                        ORDER BY next_at
                        LIMIT wanted.most
                        FOR UPDATE SKIP LOCKED) AS found
), due AS (
    SELECT due_event, due_channel, due.steps AS steps
    FROM found, unnest(found.events, found.channels, found.steps) AS due (due_event, due_channel, steps)
), taken AS (
    UPDATE deliveries
    SET state = CASE WHEN state IN ('COMMITTING', 'OUTCOME_UNKNOWN', 'RECONCILING') THEN 'RECONCILING'
                     WHEN expires_at <= now() THEN state
                     WHEN steps THEN 'PREPARING'
                     ELSE 'COMMITTING' END,
        attempts = attempts + CASE WHEN state IN ('COMMITTING', 'OUTCOME_UNKNOWN', 'RECONCILING')
                                        OR expires_at <= now() THEN 0 ELSE 1 END,
        started_at = CASE WHEN state IN ('COMMITTING', 'OUTCOME_UNKNOWN', 'RECONCILING')
                               OR expires_at <= now() THEN started_at ELSE now() END,
        holder = $1::uuid, next_at = NULL
    FROM due
    WHERE event_id = due_event AND channel = due_channel
    RETURNING event_id, channel, state, settled, remote_id, step_id, post_url, reason, message, attempts, failures,
              expires_at, started_at, finished_at
)
SELECT distributions.id::text AS id, event_id::text AS event_id, owner, content, taken.channel AS channel, taken.state AS state,
       taken.remote_id AS remote_id, taken.step_id AS step_id, taken.reason AS reason, taken.message AS message,
       taken.attempts AS attempts, taken.failures AS failures, taken.expires_at AS expires_at,
       taken.started_at AS started_at, taken.expires_at <= now() AS expired
FROM taken
JOIN distributions USING (event_id)
