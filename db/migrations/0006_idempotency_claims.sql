-- A row without a reply is a claim: it binds the key to one request before that takes effect, where the reply is stored
-- by a later transaction than the first effect.
ALTER TABLE idempotency
    ADD COLUMN answered boolean NOT NULL DEFAULT true,
    -- No message: a server of before, which does not know of claims, must not take it for an answer.
    ALTER COLUMN reply SET DEFAULT '\xff';
COMMENT ON COLUMN idempotency.answered IS 'False: a claim; the call is under way, or has failed and may be repeated.';

-- Whoever writes: a key is bound to its first request, and has one reply. What does not fit conflicts as an INSERT would,
-- and takes the whole transaction with it.
CREATE FUNCTION idempotency_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.answered OR NEW.request_hash <> OLD.request_hash THEN
        RAISE unique_violation USING MESSAGE = 'the idempotency key is taken', CONSTRAINT = 'idempotency_key';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER idempotency_keep BEFORE UPDATE OF request_hash ON idempotency
    FOR EACH ROW EXECUTE FUNCTION idempotency_keep();
