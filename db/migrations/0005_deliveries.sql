-- Delivery of approved events to channels: rounds, one delivery for each (event, channel), and their attempts.
CREATE TABLE distributions (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL,
    event_id     uuid NOT NULL,
    channels     text[] NOT NULL,
    content      bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    is_open      boolean NOT NULL GENERATED ALWAYS AS (completed_at IS NULL) STORED,

    CONSTRAINT distributions_id UNIQUE (id),
    CONSTRAINT distributions_channels
        CHECK (channels <@ ARRAY['WOORIDONGNE_TV', 'RINGO_BIZ', 'GENIE_TV', 'INSTAGRAM', 'NAVER_BLOG', 'KAKAO_CHANNEL'])
);
COMMENT ON COLUMN distributions.content IS 'Packed herald.distribution.v1.Content.';
COMMENT ON COLUMN distributions.updated_at IS 'When somebody last took the round up.';

-- is_open, not completed_at IS NULL: see event_drafts_unattended.
CREATE UNIQUE INDEX distributions_one_open ON distributions (event_id) WHERE is_open;
CREATE INDEX distributions_by_event ON distributions (event_id, seq DESC);
CREATE INDEX distributions_idle ON distributions (updated_at) WHERE is_open;

CREATE TABLE deliveries (
    event_id    uuid NOT NULL,
    channel     text NOT NULL,
    state       text NOT NULL DEFAULT 'PENDING',
    remote_id   text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    message     text NOT NULL DEFAULT '',
    attempts    integer NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    started_at  timestamptz,
    finished_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT deliveries_once PRIMARY KEY (event_id, channel),
    CONSTRAINT deliveries_channel
        CHECK (channel IN ('WOORIDONGNE_TV', 'RINGO_BIZ', 'GENIE_TV', 'INSTAGRAM', 'NAVER_BLOG', 'KAKAO_CHANNEL')),
    CONSTRAINT deliveries_state
        CHECK (state IN ('PENDING', 'DEFERRED', 'PREPARING', 'READY', 'COMMITTING', 'PUBLISHED', 'AWAITING_OPERATOR',
                         'REJECTED', 'NEEDS_AUTH', 'OUTCOME_UNKNOWN', 'RECONCILING'))
);
COMMENT ON COLUMN deliveries.lease_until IS 'Until then one process drives the attempt that is COMMITTING or RECONCILING.';

-- Each attempt at a channel, kept.
CREATE TABLE delivery_attempts (
    event_id    uuid NOT NULL,
    channel     text NOT NULL,
    attempt     integer NOT NULL,
    state       text NOT NULL,
    remote_id   text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    message     text NOT NULL DEFAULT '',
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,

    CONSTRAINT delivery_attempts_once PRIMARY KEY (event_id, channel, attempt),
    FOREIGN KEY (event_id, channel) REFERENCES deliveries ON DELETE CASCADE
);
