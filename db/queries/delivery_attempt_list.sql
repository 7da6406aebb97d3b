-- Reads an event's attempts that have ended, the newest first: those that were kept, and those that their delivery's row tells.
-- Effect: read
-- $1 event_id  $2 limit
SELECT channel, attempt, state, reason, message, started_at, finished_at
FROM (SELECT channel, attempt, state, reason, message, started_at, finished_at
      FROM delivery_attempts
      WHERE event_id = $1::uuid
      UNION ALL
      SELECT channel, attempts, state, reason, message, COALESCE(started_at, finished_at), finished_at
      FROM deliveries
      WHERE event_id = $1::uuid AND NOT attempt_kept AND attempts > 0 AND finished_at IS NOT NULL) AS attempts
ORDER BY started_at DESC, channel, attempt DESC
LIMIT $2::bigint
