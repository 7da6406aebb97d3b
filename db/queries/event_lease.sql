-- Prolongs the lease of an APPROVED event.
-- Effect: write
-- $1 id  $2 lease, ms
UPDATE event_drafts
SET lease_until = now() + $2::bigint * interval '1 ms'
WHERE id = $1::uuid AND status = 'APPROVED'
