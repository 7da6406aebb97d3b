-- Takes the turn to try whether a pause's cause is gone: one process, once a while, and only if a delivery waits for it
-- or is due: also a look-up can have met the cause.
-- Effect: write
-- $1 channel  $2 until the next turn, ms
UPDATE channel_controls
SET probe_at = now() + $2::bigint * interval '1 ms'
WHERE channel = $1::text AND pause NOT IN ('NOT_PAUSED', 'PAUSED_BY_OPERATOR')
  AND (probe_at IS NULL OR probe_at <= now())
  AND EXISTS (SELECT FROM deliveries
              WHERE deliveries.channel = $1::text AND next_at IS NOT NULL
                AND (next_at <= now()
                     OR reason IN ('CHANNEL_NEEDS_AUTH', 'CHANNEL_PAUSED', 'CLOCK_SKEW', 'CHANNEL_DISABLED')))
