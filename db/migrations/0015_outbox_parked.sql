-- A record that Kafka refuses for good, as too large for one, stands aside: later records of its key go on. It is tried
-- again now and then, as somebody may have raised the limit.
ALTER TABLE outbox
    ADD COLUMN parked_at  timestamptz,
    ADD COLUMN parked_why text;
COMMENT ON COLUMN outbox.parked_at IS 'When Kafka first refused the record; NULL: it has not. Such a row holds up no other.';

CREATE INDEX outbox_parked ON outbox (owner, parked_at) WHERE parked_at IS NOT NULL;
