-- Looks at a session: whether it can write, the server process behind it, and the standbys that may lack what is
-- committed. Roles without pg_monitor do not see how a standby is attached; they see whether any is to be waited for.
-- Effect: read
SELECT current_setting('transaction_read_only') = 'on' AS read_only, pg_is_in_recovery() AS standby,
       pg_backend_pid() AS pid, current_setting('statement_timeout') AS statement_timeout,
       current_setting('synchronous_commit') AS synchronous_commit,
       (SELECT count(*)
        FROM pg_stat_replication
        WHERE COALESCE(state, 'streaming') IN ('streaming', 'catchup')
          AND COALESCE(application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal')
          AND NOT EXISTS (SELECT
                          FROM pg_replication_slots
                          WHERE active_pid = pg_stat_replication.pid AND slot_type = 'logical')) AS standbys,
       (SELECT count(*)
        FROM pg_stat_replication
        WHERE COALESCE(state, 'streaming') IN ('streaming', 'catchup')
          AND COALESCE(application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal')
          AND COALESCE(sync_state, CASE WHEN current_setting('synchronous_standby_names') = '' THEN 'async' END)
              = 'async'
          AND NOT EXISTS (SELECT
                          FROM pg_replication_slots
                          WHERE active_pid = pg_stat_replication.pid AND slot_type = 'logical')) AS uncovered
