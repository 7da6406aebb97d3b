-- Stores changes of deliveries that this process drives. A change needs the delivery's last attempt, which is not settled,
-- or is OUTCOME_UNKNOWN and the change says what became of it. A change that keeps the claim needs the claim.
-- Counts what is settled. A distribution of which all is settled is completed if its record is given; else a report is
-- due. Attempts that have ended are written, but for those that their delivery's row tells: accepted at once. So are the ends of a
-- preparation and of a look-up, as steps.
-- No two changes are of one delivery.
-- Effect: write
-- each change: $1 event_ids  $2 channels  $3 attempts  $4 states  $5 settled  $6 whether the claim stays  $7 remote_ids
-- $8 step_ids  $9 post_urls  $10 reasons  $11 messages  $12 failures  $13 in how many ms it is due; NULL: never
-- $14 started, us since 1970  $15 finished; NULL: the attempt goes on
-- each record of DistributionCompleted: $16 event_ids  $17 values
-- outbox: $18 topic  $19 ce_type  $20 ce_source  $21 content_type  $22 ce_time  $23 delay, ms
-- $24 delay of a report, ms  $25 this process
WITH change AS (
    SELECT *, timestamptz 'epoch' + began_us * interval '1 us' AS began_at,
           timestamptz 'epoch' + ended_us * interval '1 us' AS ended_at
    FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::boolean[], $6::boolean[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::integer[], $13::bigint[], $14::bigint[],
                $15::bigint[])
             AS change (to_event, to_channel, to_attempt, to_state, to_settled, stays, to_remote_id, to_step_id,
                        to_post_url, to_reason, to_message, to_failures, next_in_ms, began_us, ended_us)
), before AS (
    SELECT event_id AS before_event, channel AS before_channel, state AS before_state, started_at AS before_started,
           finished_at AS before_finished
    FROM change
    JOIN deliveries ON event_id = to_event AND channel = to_channel
    WHERE state IN ('PREPARING', 'RECONCILING', 'OUTCOME_UNKNOWN')
), first AS (
    UPDATE deliveries
    SET state = to_state, settled = to_settled, remote_id = to_remote_id, step_id = to_step_id, post_url = to_post_url,
        reason = to_reason, message = to_message, failures = to_failures,
        next_at = CASE WHEN next_in_ms IS NOT NULL
                       THEN LEAST(now() + next_in_ms * interval '1 ms', GREATEST(expires_at, now())) END,
        holder = CASE WHEN stays THEN holder END, started_at = began_at, finished_at = ended_at, updated_at = now(),
        attempt_kept = state NOT IN ('PREPARING', 'COMMITTING') OR to_state NOT IN ('PUBLISHED', 'AWAITING_OPERATOR')
    FROM change
    WHERE event_id = to_event AND channel = to_channel AND attempts = to_attempt AND NOT settled
      AND (NOT stays OR holder = $25::uuid)
    RETURNING event_id AS first_event, channel AS first_channel, settled AS first_settled, stays AS first_stays,
              attempt_kept AS first_kept
), late AS (
    UPDATE deliveries
    SET state = to_state, remote_id = to_remote_id, post_url = to_post_url, reason = to_reason, message = to_message,
        finished_at = ended_at, updated_at = now()
    FROM before
    JOIN change ON to_event = before_event AND to_channel = before_channel
    WHERE event_id = before_event AND channel = before_channel AND attempts = to_attempt AND settled
      AND state = 'OUTCOME_UNKNOWN' AND to_settled AND to_state <> 'OUTCOME_UNKNOWN'
    RETURNING event_id AS late_event, channel AS late_channel
), changed AS (
    SELECT first_event AS changed_event, first_channel AS changed_channel, first_settled AS counts_settled,
           first_stays AS changed_stays, first_kept AS changed_kept
    FROM first
    UNION ALL
    SELECT late_event, late_channel, false, false, true
    FROM late
), attempt AS (
    INSERT INTO delivery_attempts (event_id, channel, attempt, state, remote_id, reason, message, started_at,
                                   finished_at)
    SELECT to_event, to_channel, to_attempt, to_state, to_remote_id, to_reason, to_message, COALESCE(began_at, now()),
           ended_at
    FROM changed
    JOIN change ON to_event = changed_event AND to_channel = changed_channel
    WHERE ended_at IS NOT NULL AND to_attempt > 0 AND changed_kept
    ON CONFLICT (event_id, channel, attempt)
        DO UPDATE SET state = EXCLUDED.state, remote_id = EXCLUDED.remote_id, reason = EXCLUDED.reason,
                      message = EXCLUDED.message, finished_at = EXCLUDED.finished_at
), step AS (
    INSERT INTO delivery_steps (event_id, channel, attempt, step, state, reason, message, started_at, finished_at)
    SELECT to_event, to_channel, to_attempt, CASE before_state WHEN 'PREPARING' THEN 'PREPARED' ELSE 'LOOKED_UP' END, to_state,
           to_reason, to_message,
           CASE before_state WHEN 'PREPARING' THEN COALESCE(began_at, now())
                             ELSE GREATEST(before_started, before_finished, timestamptz 'epoch') END,
           COALESCE(ended_at, now())
    FROM before
    JOIN changed ON changed_event = before_event AND changed_channel = before_channel
    JOIN change ON to_event = before_event AND to_channel = before_channel
    WHERE to_state <> before_state AND before_state <> 'OUTCOME_UNKNOWN'
), counts AS (
    SELECT changed_event AS count_event, count(*) FILTER (WHERE counts_settled) AS settled_count,
           count(*) FILTER (WHERE NOT changed_stays) AS told_count
    FROM changed
    GROUP BY changed_event
), counted AS (
    UPDATE distributions
    SET unsettled = unsettled - settled_count, version = version + 1, updated_at = now(),
        completed_at = CASE WHEN unsettled = settled_count AND record IS NOT NULL
                            THEN COALESCE(completed_at, now()) ELSE completed_at END,
        report_at = CASE WHEN unsettled = settled_count AND completed_at IS NULL AND record IS NOT NULL THEN NULL
                         WHEN unsettled = settled_count AND completed_at IS NULL THEN now()
                         WHEN told_count > 0 THEN LEAST(report_at, now() + $24::bigint * interval '1 ms')
                         ELSE report_at END
    FROM counts
    LEFT JOIN unnest($16::uuid[], $17::bytea[]) AS completion (record_event, record) ON record_event = count_event
    WHERE event_id = count_event
    RETURNING event_id AS counted_event, id AS counted_id, unsettled AS left_open, version AS counted_version,
              completed_at = now() AS completes, record AS counted_record
), promised AS (
    INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
    SELECT counted_id, 'KAFKA', 'distribution', $18::text, counted_event::text, $19::text, $20::text, $21::text,
           $22::timestamptz, counted_record, now() + $23::bigint * interval '1 ms'
    FROM counted
    WHERE completes AND counted_record IS NOT NULL
    ON CONFLICT (id) DO NOTHING
)
SELECT changed_event::text AS event_id, changed_channel AS channel, left_open AS unsettled, counted_version AS version,
       completes AND counted_record IS NOT NULL AS completed
FROM changed
JOIN counted ON counted_event = changed_event
