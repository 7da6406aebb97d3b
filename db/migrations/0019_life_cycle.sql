-- The rules of an event's row, in one function. Postgres reads the tree of a CHECK anew in each statement that writes the table,
-- and that of a function once a session: eleven constraints were half of what an update of an event costs. They say the same as
-- before, whoever writes. Servers of the last version need not know of it.
CREATE FUNCTION event_draft_is_legal(user_id text, status text, objective text, recommendation_id text, content_job_id uuid,
                                     content_style text, channels text[], approved_at timestamptz, published_at timestamptz,
                                     ended_at timestamptz, starts_at timestamptz, ends_at timestamptz, holder uuid,
                                     attend_at timestamptz) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF user_id = '' OR starts_at >= ends_at OR objective NOT IN ('NEW_CUSTOMERS', 'REPEAT_VISITS', 'SALES', 'AWARENESS')
       OR content_style NOT IN ('SIMPLE', 'FANCY', 'TRENDY') THEN
        RETURN false;
    END IF;
    IF status = 'DRAFT' THEN
        RETURN approved_at IS NULL AND published_at IS NULL AND ended_at IS NULL AND holder IS NULL AND attend_at IS NULL;
    END IF;
    -- Only what is complete is approved. An event whose period is over ends, also one that no channel has accepted.
    RETURN approved_at IS NOT NULL AND objective IS NOT NULL AND recommendation_id IS NOT NULL AND content_job_id IS NOT NULL
        AND channels <> '{}'
        AND CASE status
            WHEN 'APPROVED' THEN published_at IS NULL AND ended_at IS NULL AND (holder IS NULL OR attend_at IS NULL)
            WHEN 'ACTIVE' THEN published_at IS NOT NULL AND ended_at IS NULL AND holder IS NULL AND attend_at IS NULL
            WHEN 'ENDED' THEN ended_at IS NOT NULL AND holder IS NULL AND attend_at IS NULL
            ELSE false
            END;
END
$$;
ALTER TABLE event_drafts
    DROP CONSTRAINT event_drafts_user_id_check,
    DROP CONSTRAINT event_drafts_status,
    DROP CONSTRAINT event_drafts_objective,
    DROP CONSTRAINT event_drafts_content_style,
    DROP CONSTRAINT event_drafts_approved,
    DROP CONSTRAINT event_drafts_ready,
    DROP CONSTRAINT event_drafts_published,
    DROP CONSTRAINT event_drafts_ended,
    DROP CONSTRAINT event_drafts_attended,
    DROP CONSTRAINT event_drafts_held_or_waiting,
    DROP CONSTRAINT event_drafts_period,
    ADD CONSTRAINT event_drafts_legal
        CHECK (event_draft_is_legal(user_id, status, objective, recommendation_id, content_job_id, content_style, channels,
                                    approved_at, published_at, ended_at, starts_at, ends_at, holder, attend_at)),
    -- A draft is changed several times before its approval. With room on its page, such an update writes no index.
    SET (fillfactor = 80);
