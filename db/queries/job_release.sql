-- Deletes the row of a process that ends. It holds no claims.
-- Effect: write
-- $1 instance's id  $2 service
DELETE FROM instances
WHERE id = $1::uuid AND service = $2::text
