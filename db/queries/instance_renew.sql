-- Renews a process's lease, or makes it.
-- Effect: write
-- $1 id  $2 service  $3 lease, ms
INSERT INTO instances (id, service, alive_until)
VALUES ($1::uuid, $2::text, now() + $3::bigint * interval '1 ms')
ON CONFLICT (id) DO UPDATE SET alive_until = EXCLUDED.alive_until
