-- Reads a page of a user's events, newest first, and how the deliveries of each stand. These are
-- herald-distribution's rows, which nobody else changes; they are looked up for the page alone, by their key.
-- Effect: read
-- Row: event_draft
-- $1 user_id  $2 before created_at, NULL: from the newest  $3 before id  $4 limit
-- $5 text that title, prize or store_name has, empty: any
SELECT id::text AS id, user_id, status, title, prize, brand_color, logo_url, store_name, store_address, store_phone,
       objective, recommendation_id, recommendation_title, recommendation_summary, image_job_id::text AS image_job_id,
       content_job_id::text AS content_job_id, content_style, content_png_url, content_jpeg_url,
       array_to_string(page.channels, ',') AS channels, created_at, updated_at, approved_at, published_at, ended_at,
       starts_at, ends_at, scheduled_at, time_zone, reconcile_attempts, results,
       COALESCE(delivery_channels, '') AS delivery_channels, COALESCE(delivery_states, '') AS delivery_states,
       COALESCE(tried_channels, '') AS tried_channels
FROM (SELECT *
      FROM event_drafts
      WHERE user_id = $1::text
        AND (created_at, id) < (COALESCE($2::timestamptz, 'infinity'),
                                COALESCE($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
        AND ($5::text = '' OR position(lower($5::text) IN lower(title)) > 0 OR position(lower($5::text) IN lower(prize)) > 0
             OR position(lower($5::text) IN lower(store_name)) > 0)
      ORDER BY created_at DESC, id DESC
      LIMIT $4::bigint) AS page
CROSS JOIN LATERAL (SELECT string_agg(channel, ',' ORDER BY channel) AS delivery_channels,
                           string_agg(state, ',' ORDER BY channel) AS delivery_states,
                           string_agg(channel, ',') FILTER (WHERE attempts > 0) AS tried_channels
                    FROM deliveries
                    WHERE event_id = page.id) AS told
ORDER BY created_at DESC, id DESC
