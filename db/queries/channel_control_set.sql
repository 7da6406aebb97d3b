-- Stores what an operator does to a channel.
-- Effect: write
-- $1 channel  $2 pause; NULL: as it is  $3 breaker; NULL: as it is  $4 note  $5 resets, added
INSERT INTO channel_controls (channel, pause, breaker, note, resets)
VALUES ($1::text, COALESCE($2::text, 'NOT_PAUSED'), COALESCE($3::text, 'BREAKER_AUTOMATIC'), $4::text, $5::bigint)
ON CONFLICT (channel) DO UPDATE
SET pause = COALESCE($2::text, channel_controls.pause), breaker = COALESCE($3::text, channel_controls.breaker),
    note = $4::text, resets = channel_controls.resets + $5::bigint,
    probe_at = CASE WHEN $2::text IS NULL THEN channel_controls.probe_at END,
    probes = CASE WHEN $2::text IS NULL THEN channel_controls.probes ELSE 0 END, changed_at = now()
