-- Reads the database's clock.
-- Effect: read
SELECT now() AS now
