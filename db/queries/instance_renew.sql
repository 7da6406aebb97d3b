-- Renews a process's lease, or makes it; returns when the row was made, when the session began, and the database's time. The
-- session, which shows that the process lives, looks every half second whether its client is gone while a statement of it waits.
-- Effect: write
-- $1 id  $2 service  $3 lease, ms  $4 how long the process believes in it, ms
INSERT INTO instances (id, service, alive_until, sure_until, backend_pid, backend_start)
SELECT $1::uuid, $2::text, now() + $3::bigint * interval '1 ms', now() + $4::bigint * interval '1 ms', pid, backend_start
FROM pg_stat_get_activity(pg_backend_pid())
ON CONFLICT (id) DO UPDATE
    SET alive_until = EXCLUDED.alive_until, sure_until = EXCLUDED.sure_until, backend_pid = EXCLUDED.backend_pid,
        backend_start = EXCLUDED.backend_start
RETURNING (extract(epoch FROM started_at) * 1000000)::bigint AS made_at_us, backend_start AS session_at, now() AS at,
          set_config('client_connection_check_interval', '500', false) AS checks
