-- Stores a report's record, unless the distribution has changed since it was read: then the report stays due.
-- DistributionCompleted is stored once, when all is settled.
-- Effect: write
-- $1 event_id  $2 version  $3 whether it completes
-- outbox: $4 id  $5 kind  $6 owner  $7 topic  $8 key  $9 ce_type  $10 ce_source  $11 content_type  $12 ce_time
-- $13 value  $14 delay, ms
WITH ended AS (
    UPDATE distributions
    SET report_at = NULL, completed_at = CASE WHEN $3::boolean THEN now() ELSE completed_at END
    WHERE event_id = $1::uuid AND version = $2::bigint AND (NOT $3::boolean OR completed_at IS NULL AND unsettled = 0)
    RETURNING event_id
), promised AS (
    INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, next_try_at)
    SELECT $4::uuid, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text, $12::timestamptz,
           $13::bytea, now() + $14::bigint * interval '1 ms'
    FROM ended
    ON CONFLICT (id) DO NOTHING
)
SELECT EXISTS (SELECT FROM ended) AS changed
