-- Leases APPROVED events whose lease has expired and whose reconcile_at has come, to finish them.
-- Effect: write
-- Row: event_draft
-- $1 limit  $2 lease, ms
WITH due AS (
    SELECT id AS due_id
    FROM event_drafts
    WHERE attend_at <= now()
    ORDER BY attend_at
    LIMIT $1::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE event_drafts
SET lease_until = now() + $2::bigint * interval '1 ms', reconcile_at = now(),
    reconcile_attempts = reconcile_attempts + 1
FROM due
WHERE id = due_id
RETURNING id::text AS id, user_id, status, title, prize, brand_color, logo_url, store_name, store_address, store_phone,
       objective, recommendation_id, recommendation_title, recommendation_summary, image_job_id::text AS image_job_id,
       content_job_id::text AS content_job_id, content_style, content_png_url, content_jpeg_url,
       array_to_string(channels, ',') AS channels, created_at, updated_at, approved_at, published_at, ended_at,
       reconcile_attempts, results
