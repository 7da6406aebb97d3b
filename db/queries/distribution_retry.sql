-- Makes deliveries that channels refused in an earlier round PENDING again in the new one.
-- Effect: write
-- $1 event_id  $2 id of the new round: nothing is done when it was not made
UPDATE deliveries
SET state = 'PENDING', remote_id = '', reason = '', message = '', finished_at = NULL, updated_at = now()
FROM distributions
WHERE distributions.id = $2::uuid AND deliveries.event_id = $1::uuid AND channel = ANY (channels)
  AND state IN ('REJECTED', 'NEEDS_AUTH')
