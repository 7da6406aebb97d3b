-- Reads a user's event, and claims the key of the call if pictures can be made for the event. Conflicts with another request or a
-- stored reply.
-- (The claim waits for no disk and no standby. A job that is made after it is committed after it: a crash of the database that
-- loses the claim loses the job. Besides, a job has a row of its own for the key.)
-- Effect: write
-- Row: event_draft
-- $1 id  $2 user_id  idempotency, $5 NULL: none: $3 method  $4 caller  $5 key  $6 request_hash
WITH claimed AS (
    INSERT INTO idempotency (method, caller, key, request_hash, answered)
    SELECT $3::text, $4::text, $5::text, $6::bytea, false
    FROM event_drafts
    WHERE id = $1::uuid AND user_id = $2::text AND status = 'DRAFT' AND recommendation_id <> '' AND $5::text IS NOT NULL
    ON CONFLICT ON CONSTRAINT idempotency_key DO UPDATE SET request_hash = EXCLUDED.request_hash
)
SELECT id::text AS id, user_id, status, title, prize, brand_color, logo_url, store_name, store_address, store_phone,
       objective, recommendation_id, recommendation_title, recommendation_summary, image_job_id::text AS image_job_id,
       content_job_id::text AS content_job_id, content_style, content_png_url, content_jpeg_url,
       array_to_string(channels, ',') AS channels, created_at, updated_at, approved_at, published_at, ended_at,
       starts_at, ends_at, scheduled_at, time_zone, reconcile_attempts, results,
       '' AS delivery_channels, '' AS delivery_states, '' AS tried_channels
FROM event_drafts
WHERE id = $1::uuid AND user_id = $2::text AND set_config('synchronous_commit', 'off', true) = 'off'
