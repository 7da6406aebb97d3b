-- What the campaign sees of each change in Herald's database: one row for each new state or holder, in the order of the
-- statements. Herald knows nothing of it.
CREATE SCHEMA campaign;
CREATE TABLE campaign.history (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    who     text NOT NULL DEFAULT current_setting('application_name'),
    what    text NOT NULL, -- event, delivery, job
    id      uuid NOT NULL,
    channel text NOT NULL DEFAULT '',
    before  text,          -- NULL: the row is new
    after   text NOT NULL,
    holder  uuid,
    settled boolean NOT NULL DEFAULT false,
    details text NOT NULL DEFAULT ''
);

CREATE FUNCTION campaign.note_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO campaign.history (what, id, before, after, holder, settled, details)
    VALUES ('event', NEW.id, OLD.status, NEW.status, NEW.holder, NEW.status IN ('ACTIVE', 'ENDED'),
            format('attend_at %s, published_at %s', NEW.attend_at, NEW.published_at));
    RETURN NULL;
END
$$;
CREATE TRIGGER campaign_note AFTER UPDATE ON event_drafts FOR EACH ROW
    WHEN ((OLD.status, OLD.holder, OLD.published_at) IS DISTINCT FROM (NEW.status, NEW.holder, NEW.published_at))
    EXECUTE FUNCTION campaign.note_event();

CREATE FUNCTION campaign.note_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO campaign.history (what, id, channel, before, after, holder, settled, details)
    VALUES ('delivery', NEW.event_id, NEW.channel, CASE WHEN TG_OP = 'UPDATE' THEN OLD.state END, NEW.state, NEW.holder,
            NEW.settled, format('attempt %s, next_at %s, %s', NEW.attempts, NEW.next_at, NEW.reason));
    RETURN NULL;
END
$$;
CREATE TRIGGER campaign_note AFTER INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION campaign.note_delivery();
CREATE TRIGGER campaign_note_change AFTER UPDATE ON deliveries FOR EACH ROW
    WHEN ((OLD.state, OLD.holder, OLD.settled) IS DISTINCT FROM (NEW.state, NEW.holder, NEW.settled))
    EXECUTE FUNCTION campaign.note_delivery();

CREATE FUNCTION campaign.note_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO campaign.history (what, id, before, after, settled, details)
    VALUES ('job', NEW.id, CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status,
            NEW.status IN ('COMPLETED', 'FAILED'), format('version %s, %s', NEW.version, NEW.failure));
    RETURN NULL;
END
$$;
CREATE TRIGGER campaign_note AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION campaign.note_job();
CREATE TRIGGER campaign_note_change AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION campaign.note_job();
CREATE INDEX ON campaign.history (what, id, seq);
