-- Promotional events, from the draft to the end. Codes are stored as the names of the schemas' enums.
CREATE TABLE event_drafts (
    id                     uuid PRIMARY KEY,
    user_id                text NOT NULL CHECK (user_id <> ''),
    status                 text NOT NULL DEFAULT 'DRAFT',
    title                  text NOT NULL,
    prize                  text NOT NULL DEFAULT '',
    brand_color            text NOT NULL DEFAULT '',
    logo_url               text NOT NULL DEFAULT '',
    store_name             text NOT NULL DEFAULT '',
    store_address          text NOT NULL DEFAULT '',
    store_phone            text NOT NULL DEFAULT '',
    objective              text,
    recommendation_id      text,
    recommendation_title   text NOT NULL DEFAULT '',
    recommendation_summary text NOT NULL DEFAULT '',
    image_job_id           uuid,
    content_job_id         uuid,
    content_style          text,
    content_png_url        text NOT NULL DEFAULT '',
    content_jpeg_url       text NOT NULL DEFAULT '',
    channels               text[] NOT NULL DEFAULT '{}',
    created_at             timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL,
    approved_at            timestamptz,
    published_at           timestamptz,
    ended_at               timestamptz,
    results                bytea,
    lease_until            timestamptz NOT NULL DEFAULT '-infinity',
    reconcile_at           timestamptz NOT NULL DEFAULT '-infinity',
    reconcile_attempts     integer NOT NULL DEFAULT 0,
    attend_at              timestamptz
        GENERATED ALWAYS AS (CASE WHEN status = 'APPROVED' THEN GREATEST(lease_until, reconcile_at) END) STORED,

    CONSTRAINT event_drafts_status CHECK (status IN ('DRAFT', 'APPROVED', 'ACTIVE', 'ENDED')),
    CONSTRAINT event_drafts_objective
        CHECK (objective IN ('NEW_CUSTOMERS', 'REPEAT_VISITS', 'SALES', 'AWARENESS')),
    CONSTRAINT event_drafts_content_style CHECK (content_style IN ('SIMPLE', 'FANCY', 'TRENDY')),
    CONSTRAINT event_drafts_channels
        CHECK (channels <@ ARRAY['WOORIDONGNE_TV', 'RINGO_BIZ', 'GENIE_TV', 'INSTAGRAM', 'NAVER_BLOG', 'KAKAO_CHANNEL']),
    -- The life cycle, whoever writes: no illegal state can be stored.
    CONSTRAINT event_drafts_approved CHECK ((status <> 'DRAFT') = (approved_at IS NOT NULL)),
    CONSTRAINT event_drafts_ready
        CHECK (status = 'DRAFT' OR (objective IS NOT NULL AND recommendation_id IS NOT NULL
                                    AND content_job_id IS NOT NULL AND channels <> '{}')),
    CONSTRAINT event_drafts_published CHECK ((status IN ('ACTIVE', 'ENDED')) = (published_at IS NOT NULL)),
    CONSTRAINT event_drafts_ended CHECK ((status = 'ENDED') = (ended_at IS NOT NULL))
);
COMMENT ON COLUMN event_drafts.results IS 'Packed herald.event.v1.PublishEventResponse stored with ACTIVE.';
COMMENT ON COLUMN event_drafts.lease_until IS 'Until then one process drives the APPROVED event.';
COMMENT ON COLUMN event_drafts.reconcile_at IS 'The reconciler leaves an APPROVED event alone until then.';
COMMENT ON COLUMN event_drafts.attend_at IS 'When the reconciler may take the event; NULL: it has nothing to finish.';

CREATE INDEX event_drafts_by_user ON event_drafts (user_id, created_at DESC, id DESC);
CREATE INDEX event_drafts_by_user_status ON event_drafts (user_id, status, created_at DESC, id DESC);
-- On a column of its own: a partial index on status = 'APPROVED' is so small that Postgres may take it for cheaper than
-- the primary key in every statement that guards an event by that state, and walk all of it, dead entries included.
CREATE INDEX event_drafts_unattended ON event_drafts (attend_at) WHERE attend_at IS NOT NULL;
