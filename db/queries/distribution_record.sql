-- Counts the records of DistributionCompleted of an event that are not published yet: its id is that of the distribution.
-- Effect: read
-- $1 distribution's id
SELECT count(*) AS waiting
FROM outbox
WHERE id = $1::uuid AND sent_at IS NULL
