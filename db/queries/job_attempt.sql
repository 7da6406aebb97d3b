-- Counts an attempt at a locked job, once, or takes the last one back; returns whether the job changed.
-- Effect: write
-- $1 id  $2 attempt  $3 1: it is given back, 0: it begins
UPDATE jobs
SET attempts = attempts + CASE $3::integer WHEN 1 THEN -1 ELSE 1 END,
    attempt_id = CASE $3::integer WHEN 1 THEN NULL ELSE $2::uuid END,
    version = version + 1, updated_at = now(), resends = 0,
    resend_at = CASE WHEN record_id IS NOT NULL THEN now() + resend_ms * interval '1 ms' END
WHERE id = $1::uuid AND status IN ('PENDING', 'RUNNING')
  AND CASE $3::integer WHEN 1 THEN attempt_id = $2::uuid ELSE attempt_id IS DISTINCT FROM $2::uuid END
