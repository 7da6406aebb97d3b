-- Takes the lease of an APPROVED event if it has expired. If the holder dies, the reconciler finishes the event.
-- Effect: write
-- $1 id  $2 lease, ms
UPDATE event_drafts
SET lease_until = now() + $2::bigint * interval '1 ms', reconcile_at = now()
WHERE id = $1::uuid AND status = 'APPROVED' AND lease_until <= now()
