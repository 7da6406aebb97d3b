-- Locks a job: later statements of this transaction see the results of concurrent reports.
-- Effect: write
-- $1 id
SELECT FROM jobs WHERE id = $1::uuid FOR UPDATE
