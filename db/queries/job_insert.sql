-- Inserts a PENDING job.
-- Effect: write
-- $1 id  $2 event_draft_id  $3 user_id  $4 created_at  $5 updated_at  record for Kafka: $6 id  $7 content type  $8 value
-- $9 time without a report after which the record is sent again, ms
INSERT INTO jobs (id, event_draft_id, user_id, created_at, updated_at, record_id, record_type, record_value, resend_ms,
                  resend_at)
VALUES ($1::uuid, $2::uuid, $3::text, $4::timestamptz, $5::timestamptz, $6::uuid, $7::text, $8::bytea, $9::bigint,
        now() + $9::bigint * interval '1 ms')
