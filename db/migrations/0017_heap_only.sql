-- An update whose columns are in no index, nor in its condition, writes no index and leaves nothing there to be cleaned up. The
-- index of unknown outcomes was on columns that each change of a delivery writes: now it is on one that other changes leave NULL.
-- Servers of the last version need not know of it.
DROP INDEX deliveries_unknown;
ALTER TABLE deliveries
    ADD COLUMN unknown_at timestamptz GENERATED ALWAYS AS (CASE WHEN state = 'OUTCOME_UNKNOWN' THEN updated_at END) STORED;
COMMENT ON COLUMN deliveries.unknown_at IS 'Since when nobody knows the outcome; NULL: it is known, or there is none yet.';
CREATE INDEX deliveries_unknown ON deliveries (unknown_at, event_id, channel) WHERE unknown_at IS NOT NULL;
