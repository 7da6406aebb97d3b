-- Applies a report to a locked job: only forward, never after its end; returns whether the job changed, and whether the
-- report was refused for missing pictures.
-- Effect: write
-- $1 id  $2 status  $3 progress_percent  $4 failure  $11 warnings, empty: none reported
-- $12 attempt that it must be the last of, NULL: any
-- pictures, NULL: not reported: $5, $6 simple png_url, jpeg_url  $7, $8 fancy  $9, $10 trendy
WITH job AS (
    SELECT id, status, progress_percent, warnings
    FROM jobs
    WHERE id = $1::uuid AND status IN ('PENDING', 'RUNNING') AND ($12::uuid IS NULL OR attempt_id = $12::uuid)
), fresh AS (
    SELECT reported.style, reported.png_url, reported.jpeg_url
    FROM (VALUES ('SIMPLE', $5::text, $6::text), ('FANCY', $7::text, $8::text), ('TRENDY', $9::text, $10::text))
         AS reported (style, png_url, jpeg_url)
    WHERE reported.png_url IS NOT NULL
      AND NOT EXISTS (SELECT FROM job_pictures WHERE job_id = $1::uuid AND job_pictures.style = reported.style)
), verdict AS (
    SELECT $2::text = 'COMPLETED'
           AND (SELECT count(*) FROM fresh) + (SELECT count(*) FROM job_pictures WHERE job_id = $1::uuid) < 3 AS incomplete
), forward AS (
    SELECT id AS job_id,
           CASE WHEN $2::text IN ('COMPLETED', 'FAILED') OR status = 'PENDING' THEN $2::text ELSE status END AS next_status,
           CASE WHEN $2::text = 'COMPLETED' THEN 100 ELSE GREATEST(progress_percent, $3::integer) END AS next_progress,
           CASE WHEN $2::text = 'FAILED' THEN $4::text ELSE '' END AS next_failure,
           CASE WHEN $11::text = '' THEN warnings ELSE $11::text END AS next_warnings
    FROM job, verdict
    WHERE NOT incomplete
), added AS (
    INSERT INTO job_pictures (job_id, style, png_url, jpeg_url)
    SELECT job_id, style, png_url, jpeg_url
    FROM forward, fresh
    RETURNING style
), changed AS (
    UPDATE jobs
    SET status = next_status, progress_percent = next_progress, failure = next_failure, warnings = next_warnings,
        version = version + 1, updated_at = now(), resends = 0,
        resend_at = CASE WHEN next_status IN ('PENDING', 'RUNNING') AND record_id IS NOT NULL
                         THEN now() + resend_ms * interval '1 ms' END,
        record_value = CASE WHEN next_status <> 'COMPLETED' THEN record_value END
    FROM forward
    WHERE id = job_id
      AND (status <> next_status OR progress_percent <> next_progress OR warnings <> next_warnings
           OR EXISTS (SELECT FROM added))
    RETURNING id
)
SELECT EXISTS (SELECT FROM changed) AS changed,
       EXISTS (SELECT FROM job, verdict WHERE incomplete) AS refused
