-- Pauses a channel for a cause. While it is paused only a probe puts off the next one: of others many may be on their way
-- when the cause comes. An operator's pause stays.
-- Effect: write
-- $1 channel  $2 pause  $3 note  $4 first delay, ms  $5 longest delay, ms  $6 whether a probe met the cause
INSERT INTO channel_controls (channel, pause, note, probe_at, probes)
VALUES ($1::text, $2::text, $3::text, now() + $4::bigint * interval '1 ms', 1)
ON CONFLICT (channel) DO UPDATE
SET pause = $2::text, note = $3::text, changed_at = now(),
    probes = CASE WHEN channel_controls.pause = 'NOT_PAUSED' THEN 1
                  WHEN $6::boolean THEN channel_controls.probes + 1
                  ELSE channel_controls.probes END,
    probe_at = CASE WHEN channel_controls.pause = 'NOT_PAUSED' THEN now() + $4::bigint * interval '1 ms'
                    WHEN $6::boolean
                    THEN now() + interval '1 ms'
                                 * LEAST($5::bigint, $4::bigint * power(2, LEAST(channel_controls.probes, 20)))
                    ELSE channel_controls.probe_at END
WHERE channel_controls.pause <> 'PAUSED_BY_OPERATOR'
