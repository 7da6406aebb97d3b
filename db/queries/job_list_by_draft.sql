-- Reads a page of jobs of a draft, newest first, with their pictures.
-- Effect: read
-- Row: job
-- $1 before created_at, NULL: from the newest  $2 before id  $3 limit  $4 whether only those that can begin anew
-- $5 event_draft_id  $6 user_id; NULL: all  $7 status; NULL: all
SELECT page.id::text AS id, page.event_draft_id::text AS event_draft_id, user_id, status, progress_percent, failure, warnings, version,
       attempts, (status = 'FAILED' AND record_value IS NOT NULL)::integer AS dead_letter, page.created_at AS created_at, page.updated_at AS updated_at,
       simple.png_url AS simple_png_url, simple.jpeg_url AS simple_jpeg_url,
       fancy.png_url AS fancy_png_url, fancy.jpeg_url AS fancy_jpeg_url,
       trendy.png_url AS trendy_png_url, trendy.jpeg_url AS trendy_jpeg_url
FROM (SELECT *
      FROM jobs
      WHERE (created_at, id) < (COALESCE($1::timestamptz, 'infinity'),
                                COALESCE($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
        AND (NOT $4::boolean OR status = 'FAILED' AND record_value IS NOT NULL)
        AND event_draft_id = $5::uuid AND ($6::text IS NULL OR user_id = $6::text)
        AND ($7::text IS NULL OR status = $7::text)
      ORDER BY created_at DESC, id DESC
      LIMIT $3::bigint) AS page
LEFT JOIN job_pictures AS simple ON simple.job_id = page.id AND simple.style = 'SIMPLE'
LEFT JOIN job_pictures AS fancy ON fancy.job_id = page.id AND fancy.style = 'FANCY'
LEFT JOIN job_pictures AS trendy ON trendy.job_id = page.id AND trendy.style = 'TRENDY'
ORDER BY page.created_at DESC, page.id DESC
