-- Stores a channel's renewed credential.
-- Effect: write
-- $1 channel  $2 token  $3 source  $4 how long it lasts, s
INSERT INTO channel_tokens (channel, token, source, expires_at)
VALUES ($1::text, $2::text, $3::bytea, now() + $4::bigint * interval '1 s')
ON CONFLICT (channel) DO UPDATE
SET token = EXCLUDED.token, source = EXCLUDED.source, obtained_at = now(), expires_at = EXCLUDED.expires_at
