-- Reads a channel's renewed credential, if it descends from the configured one.
-- Effect: read
-- $1 channel  $2 source
SELECT token, obtained_at, expires_at
FROM channel_tokens
WHERE channel = $1::text AND source = $2::bytea
