-- Reads what was done to channels.
-- Effect: read
SELECT channel, pause, breaker, note, probe_at, probe_at <= now() AS probe_due, resets, changed_at
FROM channel_controls
