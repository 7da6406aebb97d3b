-- OUTCOME_UNKNOWN, or COMMITTING or RECONCILING with an expired lease -> RECONCILING, for a look-up.
-- Effect: write
-- $1 event_id  $2 channel  $3 lease, ms
UPDATE deliveries
SET state = 'RECONCILING', lease_until = now() + $3::bigint * interval '1 ms', updated_at = now()
WHERE event_id = $1::uuid AND channel = $2::text
  AND (state = 'OUTCOME_UNKNOWN' OR (state IN ('COMMITTING', 'RECONCILING') AND lease_until <= now()))
