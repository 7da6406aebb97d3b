-- Claims an APPROVED event that no process holds.
-- Effect: write
-- $1 id  $2 instance's id
UPDATE event_drafts
SET holder = $2::uuid, attend_at = NULL
WHERE id = $1::uuid AND status = 'APPROVED' AND holder IS NOT DISTINCT FROM NULL
