-- Chooses the idea of a draft.
-- Effect: write
-- $1 id  $2 user_id  $3 recommendation_id  $4 title  $5 summary
UPDATE event_drafts
SET recommendation_id = $3::text, recommendation_title = $4::text, recommendation_summary = $5::text,
    updated_at = now(), version = version + 1
WHERE id = $1::uuid AND user_id = $2::text AND status = 'DRAFT'
