-- Lets this transaction wait for no disk and no standby when it is committed. A crash of the database may lose it.
-- Effect: write
SELECT set_config('synchronous_commit', 'off', true) AS setting
