-- Inserts a PENDING job.
-- Effect: write
-- $1 id  $2 event_draft_id  $3 user_id  $4 created_at  $5 updated_at
INSERT INTO jobs (id, event_draft_id, user_id, created_at, updated_at)
VALUES ($1::uuid, $2::uuid, $3::text, $4::timestamptz, $5::timestamptz)
