-- Locks the event's open round: later statements of this transaction see the result of a concurrent completion.
-- Effect: write
-- $1 event_id
SELECT FROM distributions WHERE event_id = $1::uuid AND is_open FOR UPDATE
