-- Lists deliveries whose outcome only a person can find out, the oldest first, strictly after a place.
-- Effect: read
-- $1 channel; NULL: all  $2 after unknown_at; NULL: from the first  $3 after event_id  $4 after channel  $5 limit
SELECT deliveries.event_id::text AS event_id, owner, channel, state, settled, remote_id, post_url, reason, message,
       attempts, started_at, finished_at, unknown_at AS updated_at
FROM deliveries
JOIN distributions USING (event_id)
WHERE unknown_at IS NOT NULL AND deliveries.settled AND channel = COALESCE($1::text, channel)
  AND ($2::timestamptz IS NULL
       OR (unknown_at, deliveries.event_id, channel) > ($2::timestamptz, $3::uuid, $4::text))
ORDER BY unknown_at, deliveries.event_id, channel
LIMIT $5::bigint
