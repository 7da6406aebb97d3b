-- What a transaction has promised to send: written in the business transaction, sent at least once by a relay.
CREATE TABLE outbox (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL,
    kind         text NOT NULL,
    owner        text NOT NULL,
    topic        text NOT NULL,
    key          text NOT NULL,
    ce_type      text NOT NULL,
    ce_source    text NOT NULL,
    content_type text NOT NULL,
    ce_time      timestamptz,
    value        bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    next_try_at  timestamptz NOT NULL,
    tries        integer NOT NULL DEFAULT 0,
    sent_at      timestamptz,

    CONSTRAINT outbox_id UNIQUE (id),
    CONSTRAINT outbox_kind CHECK (kind IN ('KAFKA', 'CACHE_DELETE'))
);
COMMENT ON COLUMN outbox.id IS 'ce_id: the same each time the row is sent.';
COMMENT ON COLUMN outbox.owner IS 'The service whose relay sends the row.';
COMMENT ON COLUMN outbox.next_try_at IS 'A relay leaves the row alone until then: the inline path or another relay has it.';

CREATE INDEX outbox_unsent ON outbox (owner, seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_unsent_by_key ON outbox (topic, key, seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;
