-- Counts, for each channel, deliveries that go on by themselves, and those whose outcome is not known.
-- Effect: read
SELECT channel, count(*) FILTER (WHERE next_at IS NOT NULL) AS waiting,
       count(*) FILTER (WHERE settled AND unknown_at IS NOT NULL) AS unknown
FROM deliveries
WHERE next_at IS NOT NULL OR unknown_at IS NOT NULL
GROUP BY channel
