-- Chooses the period of a draft.
-- Effect: write
-- $1 id  $2 user_id  $3 starts_at  $4 ends_at
UPDATE event_drafts
SET starts_at = $3::timestamptz, ends_at = $4::timestamptz, updated_at = now(), version = version + 1
WHERE id = $1::uuid AND user_id = $2::text AND status = 'DRAFT'
