-- What of a job's texts is not in its pictures.
ALTER TABLE jobs ADD COLUMN warnings text NOT NULL DEFAULT '';
COMMENT ON COLUMN jobs.warnings IS 'Sentences, one a line; empty: all is drawn.';
