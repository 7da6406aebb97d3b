-- ACTIVE -> ENDED.
-- Effect: write
-- $1 id  $2 user_id
UPDATE event_drafts
SET status = 'ENDED', ended_at = now(), updated_at = now(), version = version + 1, end_at = NULL
WHERE id = $1::uuid AND user_id = $2::text AND status = 'ACTIVE'
