-- Releases the lease of an APPROVED event; the reconciler leases it later, or never.
-- Effect: write
-- $1 id  $2 until the reconciler may take it, ms, NULL: never
UPDATE event_drafts
SET lease_until = '-infinity', reconcile_at = COALESCE(now() + $2::bigint * interval '1 ms', 'infinity')
WHERE id = $1::uuid AND status = 'APPROVED'
