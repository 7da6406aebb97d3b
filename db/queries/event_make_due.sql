-- Lets a process take an APPROVED event now that nobody holds.
-- Effect: write
-- $1 id  $2 user_id
UPDATE event_drafts
SET attend_at = now(), version = version + 1
WHERE id = $1::uuid AND user_id = $2::text AND status = 'APPROVED' AND holder IS NULL
