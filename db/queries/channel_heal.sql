-- Ends a pause for a cause, and makes what waited for it due.
-- Effect: write
-- $1 channel
WITH healed AS (
    UPDATE channel_controls
    SET pause = 'NOT_PAUSED', note = '', probe_at = NULL, probes = 0, changed_at = now()
    WHERE channel = $1::text AND pause NOT IN ('NOT_PAUSED', 'PAUSED_BY_OPERATOR')
    RETURNING channel AS healed_channel
)
UPDATE deliveries
SET next_at = now()
FROM healed
WHERE channel = healed_channel AND next_at > now()
  AND reason IN ('CHANNEL_NEEDS_AUTH', 'CHANNEL_PAUSED', 'CLOCK_SKEW', 'CHANNEL_DISABLED')
