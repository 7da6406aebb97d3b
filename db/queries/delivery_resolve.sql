-- Ends a delivery by what a person says: from one of the states, to another; settled or to be sent again. An attempt that only the
-- delivery's row tells gets a row of its own.
-- Effect: write
-- $1 event_id  $2 channel  $3 states, one of which it must have  $4 state  $5 settled  $6 remote_id  $7 post_url
-- $8 reason  $9 message  $10 how long it may take, ms  $11 delay of the report, ms
WITH before AS (
    SELECT attempts AS before_attempts, state AS before_state, remote_id AS before_remote_id, reason AS before_reason,
           message AS before_message, started_at AS before_started, finished_at AS before_finished,
           attempt_kept AS before_kept
    FROM deliveries
    WHERE event_id = $1::uuid AND channel = $2::text
), resolved AS (
    UPDATE deliveries
    SET state = $4::text, settled = $5::boolean, remote_id = CASE WHEN $6::text <> '' THEN $6::text ELSE remote_id END,
        post_url = CASE WHEN $7::text <> '' THEN $7::text ELSE post_url END, reason = $8::text, message = $9::text,
        next_at = CASE WHEN $5::boolean THEN NULL ELSE now() END, step_id = '', failures = 0, holder = NULL,
        expires_at = GREATEST(expires_at, now() + $10::bigint * interval '1 ms'), updated_at = now(), attempt_kept = true
    WHERE event_id = $1::uuid AND channel = $2::text AND state = ANY ($3::text[]) AND settled
    RETURNING channel, attempts, state, reason, message
), attempt AS (
    INSERT INTO delivery_attempts (event_id, channel, attempt, state, remote_id, reason, message, started_at, finished_at)
    SELECT $1::uuid, $2::text, before_attempts, before_state, before_remote_id, before_reason, before_message,
           COALESCE(before_started, before_finished), before_finished
    FROM resolved, before
    WHERE NOT before_kept AND before_attempts > 0 AND before_finished IS NOT NULL
    ON CONFLICT (event_id, channel, attempt) DO NOTHING
), step AS (
    INSERT INTO delivery_steps (event_id, channel, attempt, step, state, reason, message, started_at, finished_at)
    SELECT $1::uuid, channel, attempts, CASE before_state WHEN 'AWAITING_OPERATOR' THEN 'CONFIRMED' ELSE 'RESOLVED' END, state,
           reason, message, COALESCE(before_finished, now()), now()
    FROM resolved, before
), counted AS (
    UPDATE distributions
    SET unsettled = unsettled + CASE WHEN $5::boolean THEN 0 ELSE 1 END, version = version + 1, updated_at = now(),
        report_at = LEAST(report_at, now() + $11::bigint * interval '1 ms')
    WHERE event_id = $1::uuid AND EXISTS (SELECT FROM resolved)
)
SELECT count(*) AS changed
FROM resolved
