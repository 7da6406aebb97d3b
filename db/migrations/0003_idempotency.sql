-- Replies of ONCE methods, stored in the business transaction: a repeat gets the stored reply.
CREATE TABLE idempotency (
    caller       text NOT NULL,
    method       text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    reply        bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT idempotency_key PRIMARY KEY (caller, method, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
