-- Signatures of writing calls that were taken, so that all processes together take each once. Without WAL a call waits for
-- no disk and no standby. A crash of the database, or a fail-over, empties both tables. The memory then begins anew, and
-- signatures from before its beginning are refused.
CREATE UNLOGGED TABLE signatures (
    signature bytea PRIMARY KEY,
    taken_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX signatures_by_age ON signatures (taken_at);

CREATE UNLOGGED TABLE signature_memory (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    began_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN signature_memory.began_at IS 'Each signature taken since then is in signatures, for two minutes.';
INSERT INTO signature_memory DEFAULT VALUES;
