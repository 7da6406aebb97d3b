-- Takes the lease of an APPROVED event that nobody drives. Were the taker to die, the reconciler has to finish the event.
-- Effect: write
-- $1 id  $2 lease, ms
UPDATE event_drafts
SET lease_until = now() + $2::bigint * interval '1 ms', reconcile_at = now()
WHERE id = $1::uuid AND status = 'APPROVED' AND lease_until <= now()
