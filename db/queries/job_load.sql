-- Reads a job with its pictures.
-- Effect: read by key
-- Row: job
-- $1 id
SELECT id::text AS id, event_draft_id::text AS event_draft_id, user_id, status, progress_percent, failure, warnings, version,
       attempts, (status = 'FAILED' AND record_value IS NOT NULL)::integer AS dead_letter, created_at, updated_at,
       simple.png_url AS simple_png_url, simple.jpeg_url AS simple_jpeg_url,
       fancy.png_url AS fancy_png_url, fancy.jpeg_url AS fancy_jpeg_url,
       trendy.png_url AS trendy_png_url, trendy.jpeg_url AS trendy_jpeg_url
FROM jobs
LEFT JOIN (SELECT job_id, png_url, jpeg_url FROM job_pictures WHERE style = 'SIMPLE') AS simple ON simple.job_id = id
LEFT JOIN (SELECT job_id, png_url, jpeg_url FROM job_pictures WHERE style = 'FANCY') AS fancy ON fancy.job_id = id
LEFT JOIN (SELECT job_id, png_url, jpeg_url FROM job_pictures WHERE style = 'TRENDY') AS trendy ON trendy.job_id = id
WHERE id = $1::uuid
