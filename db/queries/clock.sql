-- Reads the database's clock.
-- Effect: read by key
SELECT now() AS now
