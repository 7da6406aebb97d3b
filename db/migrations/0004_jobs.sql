-- Jobs that make pictures. The row is the truth; Redis holds a copy.
CREATE TABLE jobs (
    id               uuid PRIMARY KEY,
    event_draft_id   uuid NOT NULL,
    user_id          text NOT NULL,
    status           text NOT NULL DEFAULT 'PENDING',
    progress_percent integer NOT NULL DEFAULT 0,
    failure          text NOT NULL DEFAULT '',
    version          bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,

    CONSTRAINT jobs_status CHECK (status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED')),
    CONSTRAINT jobs_progress CHECK (progress_percent BETWEEN 0 AND 100)
);
CREATE INDEX jobs_by_draft ON jobs (event_draft_id);

-- One picture of each style, once.
CREATE TABLE job_pictures (
    job_id     uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    style      text NOT NULL,
    png_url    text NOT NULL,
    jpeg_url   text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT job_pictures_once PRIMARY KEY (job_id, style),
    CONSTRAINT job_pictures_style CHECK (style IN ('SIMPLE', 'FANCY', 'TRENDY'))
);
