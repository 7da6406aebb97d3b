-- Buries dead processes. A job has no holder: only records that they may have been sending are due then.
-- Effect: write
-- Row: burial
-- $1 service  $2 whether the end of a session counts
SELECT count(*) AS buried, 0::bigint AS released
FROM bury_instances($1::text, $2::boolean)
