-- Chooses the picture of a draft.
-- Effect: write
-- $1 id  $2 user_id  $3 job_id  $4 style  $5 png_url  $6 jpeg_url
UPDATE event_drafts
SET content_job_id = $3::uuid, content_style = $4::text, content_png_url = $5::text, content_jpeg_url = $6::text,
    updated_at = now(), version = version + 1
WHERE id = $1::uuid AND user_id = $2::text AND status = 'DRAFT'
