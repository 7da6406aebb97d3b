-- Releases an APPROVED event; another process may take it later, or never. Its owner may publish it at once.
-- Effect: write
-- $1 id  $2 instance's id  $3 until a process may take it, ms, NULL: never
UPDATE event_drafts
SET holder = NULL, attend_at = now() + $3::bigint * interval '1 ms'
WHERE id = $1::uuid AND status = 'APPROVED' AND holder IS NOT DISTINCT FROM $2::uuid
