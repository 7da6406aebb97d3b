-- Pauses a channel for a cause, or puts off its next probe; an operator's pause stays.
-- Effect: write
-- $1 channel  $2 pause  $3 note  $4 first delay, ms  $5 longest delay, ms
INSERT INTO channel_controls (channel, pause, note, probe_at, probes)
VALUES ($1::text, $2::text, $3::text, now() + $4::bigint * interval '1 ms', 1)
ON CONFLICT (channel) DO UPDATE
SET pause = $2::text, note = $3::text, changed_at = now(),
    probes = CASE WHEN channel_controls.pause = 'NOT_PAUSED' THEN 1 ELSE channel_controls.probes + 1 END,
    probe_at = now() + interval '1 ms'
                       * LEAST($5::bigint, $4::bigint * power(2, LEAST(CASE WHEN channel_controls.pause = 'NOT_PAUSED'
                                                                             THEN 0
                                                                             ELSE channel_controls.probes END, 20)))
WHERE channel_controls.pause <> 'PAUSED_BY_OPERATOR'
