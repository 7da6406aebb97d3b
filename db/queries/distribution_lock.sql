-- Makes openings of rounds of one event wait for each other, until the end of the transaction.
-- Effect: write
-- $1 event_id
SELECT pg_advisory_xact_lock(hashtextextended('distribution ' || $1::uuid::text, 0)) AS locked
