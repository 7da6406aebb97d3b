-- Sets a row aside that Kafka refuses. Its next try comes after once to twice the pause, at random, so that the rows of one
-- cause do not come together.
-- Effect: write
-- $1 id  $2 why  $3 pause, s
UPDATE outbox
SET parked_at = COALESCE(parked_at, now()), parked_why = $2::text,
    next_try_at = now() + (1 + random()) * $3::bigint * interval '1 s'
WHERE id = $1::uuid
