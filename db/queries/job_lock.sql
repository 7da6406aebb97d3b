-- Locks a job, so that the statements after it in the same transaction see what other reports have stored.
-- Effect: write
-- $1 id
SELECT FROM jobs WHERE id = $1::uuid FOR UPDATE
