-- Reads a user's newest draft with an objective.
-- Effect: read
-- $1 user_id
SELECT id::text AS id, objective
FROM event_drafts
WHERE user_id = $1::text AND status = 'DRAFT' AND objective IS NOT NULL
ORDER BY created_at DESC, id DESC
LIMIT 1
