-- Claims an APPROVED event that no process holds.
-- Effect: write
-- $1 id  $2 instance's id
UPDATE event_drafts
SET holder = $2::uuid, held_at = now(), attend_at = NULL, version = version + 1
WHERE id = $1::uuid AND status = 'APPROVED' AND holder IS NOT DISTINCT FROM NULL
