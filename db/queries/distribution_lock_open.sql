-- Locks the event's open round: a completion under way ends before the statements after this one in the same transaction.
-- Effect: write
-- $1 event_id
SELECT FROM distributions WHERE event_id = $1::uuid AND is_open FOR UPDATE
