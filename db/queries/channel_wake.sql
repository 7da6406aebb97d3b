-- Makes due what waits for a channel that was paused or whose breaker was open.
-- Effect: write
-- $1 channel
UPDATE deliveries
SET next_at = now()
WHERE channel = $1::text AND next_at > now()
  AND reason IN ('CHANNEL_NEEDS_AUTH', 'CHANNEL_PAUSED', 'CLOCK_SKEW', 'CHANNEL_DISABLED', 'CHANNEL_FAILING')
