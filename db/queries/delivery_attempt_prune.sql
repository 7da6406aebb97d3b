-- Deletes attempts and steps that ended long ago, a batch at a time: those of settled deliveries whose outcome is known. The
-- deliveries stay: they keep a post from being made again.
-- Effect: write
-- $1 age, s  $2 limit
WITH steps AS (
    DELETE FROM delivery_steps
    WHERE ctid = ANY (ARRAY(SELECT delivery_steps.ctid
                            FROM delivery_steps
                            JOIN deliveries ON deliveries.event_id = delivery_steps.event_id
                                           AND deliveries.channel = delivery_steps.channel
                            WHERE delivery_steps.finished_at < now() - $1::bigint * interval '1 s'
                              AND settled AND deliveries.state <> 'OUTCOME_UNKNOWN'
                            ORDER BY delivery_steps.finished_at
                            LIMIT $2::bigint
                            FOR UPDATE OF delivery_steps SKIP LOCKED))
)
DELETE FROM delivery_attempts
WHERE ctid = ANY (ARRAY(SELECT delivery_attempts.ctid
                        FROM delivery_attempts
                        JOIN deliveries ON deliveries.event_id = delivery_attempts.event_id
                                       AND deliveries.channel = delivery_attempts.channel
                        WHERE delivery_attempts.finished_at < now() - $1::bigint * interval '1 s'
                          AND settled AND deliveries.state <> 'OUTCOME_UNKNOWN'
                        ORDER BY delivery_attempts.finished_at
                        LIMIT $2::bigint
                        FOR UPDATE OF delivery_attempts SKIP LOCKED))
