-- Reads how events have moved on, for those who wait.
-- Effect: read
-- $1 ids
SELECT id::text AS id, version + (SELECT count(*) FROM event_steps WHERE event_id = id) AS version,
       status <> 'DRAFT' AS approved
FROM event_drafts
WHERE id = ANY ($1::uuid[])
