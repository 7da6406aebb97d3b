-- Reads a user's event.
-- Effect: read by key
-- Row: event_draft
-- $1 id  $2 user_id
SELECT id::text AS id, user_id, status, title, prize, brand_color, logo_url, store_name, store_address, store_phone,
       objective, recommendation_id, recommendation_title, recommendation_summary, image_job_id::text AS image_job_id,
       content_job_id::text AS content_job_id, content_style, content_png_url, content_jpeg_url,
       array_to_string(channels, ',') AS channels, created_at, updated_at, approved_at, published_at, ended_at,
       starts_at, ends_at, scheduled_at, time_zone, reconcile_attempts, results,
       '' AS delivery_channels, '' AS delivery_states, '' AS tried_channels
FROM event_drafts
WHERE id = $1::uuid AND user_id = $2::text
