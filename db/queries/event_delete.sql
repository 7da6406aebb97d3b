-- Deletes a draft.
-- Effect: write
-- $1 id  $2 user_id
DELETE FROM event_drafts
WHERE id = $1::uuid AND user_id = $2::text AND status = 'DRAFT'
