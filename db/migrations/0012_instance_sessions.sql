-- Which session renewed a process's lease: the end of a process ends its sessions at once, long before the lease.
ALTER TABLE instances
    ADD COLUMN sure_until    timestamptz,
    ADD COLUMN backend_pid   integer,
    ADD COLUMN backend_start timestamptz;
COMMENT ON COLUMN instances.sure_until IS
    'Until then the process may believe in its lease; NULL: a version that believes in it until alive_until.';
COMMENT ON COLUMN instances.backend_pid IS 'Of the session that renewed the lease: pg_stat_activity.pid.';

-- Processes that have died: whose lease is over; or that may not believe in their lease any more, and the session that
-- renewed it has ended. A session of another role shows no backend_start.
CREATE VIEW dead_instances AS
SELECT id, service, alive_until < now() AS over
FROM instances
WHERE alive_until < now()
   OR (sure_until < now()
       AND NOT EXISTS (SELECT
                       FROM pg_stat_get_activity(instances.backend_pid) AS session
                       WHERE session.backend_start IS NULL OR session.backend_start = instances.backend_start));
COMMENT ON COLUMN dead_instances.over IS 'By its lease; else by its session.';

-- Deletes the rows of a service's processes that have died, and makes the records due that they may have been sending. Without
-- by_session the end of a session does not count.
CREATE FUNCTION bury_instances(of_service text, by_session boolean) RETURNS SETOF uuid
LANGUAGE sql VOLATILE AS $$
    WITH dead AS (
        DELETE FROM instances
        WHERE id IN (SELECT id
                     FROM dead_instances
                     WHERE service = of_service AND (over OR by_session)
                     ORDER BY id
                     LIMIT 16
                     FOR UPDATE SKIP LOCKED)
        RETURNING id
    ), hurried AS (
        UPDATE outbox
        SET next_try_at = now()
        WHERE owner = of_service AND sent_at IS NULL AND kind = 'KAFKA' AND next_try_at > now()
          AND EXISTS (SELECT FROM dead)
    )
    SELECT id FROM dead
$$;
