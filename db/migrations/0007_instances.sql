-- Processes and their leases. A claim names the process that holds it; a process renews one row for all its claims.
CREATE TABLE instances (
    id          uuid PRIMARY KEY,
    service     text NOT NULL,
    alive_until timestamptz NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE instances IS 'Processes. What a process has claimed is free once it has not renewed its row in time.';
