-- Takes a signature, unless it was taken before. An empty memory begins now, and so does one whose beginning lies ahead of
-- a clock that was set back. The memory's age is that of before: 0 if it has just begun.
-- Effect: write
-- $1 signature
WITH begun AS (
    INSERT INTO signature_memory (began_at)
    SELECT now()
    WHERE NOT EXISTS (SELECT FROM signature_memory WHERE began_at <= now())
    ON CONFLICT (one) DO UPDATE SET began_at = EXCLUDED.began_at WHERE signature_memory.began_at > EXCLUDED.began_at
), taken AS (
    INSERT INTO signatures (signature)
    VALUES ($1::bytea)
    ON CONFLICT (signature) DO NOTHING
    RETURNING signature
)
SELECT EXISTS (SELECT FROM taken) AS taken,
       COALESCE((SELECT (extract(epoch FROM now() - began_at) * 1000)::bigint
                 FROM signature_memory
                 WHERE began_at <= now()), 0) AS memory_ms
