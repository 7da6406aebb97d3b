-- Chooses what a draft is for.
-- Effect: write
-- $1 id  $2 user_id  $3 objective
UPDATE event_drafts
SET objective = $3::text, updated_at = now(), version = version + 1
WHERE id = $1::uuid AND user_id = $2::text AND status = 'DRAFT'
