-- Ends published events whose period is over, a batch at a time. One that is being published ends after that.
-- Effect: write
-- $1 limit
UPDATE event_drafts
SET status = 'ENDED', ended_at = now(), updated_at = now(), version = version + 1, end_at = NULL, attend_at = NULL
WHERE id IN (SELECT id
             FROM event_drafts
             WHERE end_at <= now() AND holder IS NULL
             ORDER BY end_at
             LIMIT $1::bigint
             FOR UPDATE SKIP LOCKED)
