-- What a row tells anyway has no row of its own: the steps of a publish that goes well, and an attempt that a channel accepted. A
-- publish on six channels then writes eight rows fewer. Servers of the last version need not know of it; while they run beside new
-- ones, their timelines lack these entries.
ALTER TABLE event_drafts
    ADD COLUMN approve_ended_at timestamptz,
    ADD COLUMN approved_by      uuid,
    ADD COLUMN distributed_at   timestamptz,
    ADD COLUMN distributed_by   uuid;
COMMENT ON COLUMN event_drafts.approve_ended_at IS 'When its approval was written; NULL: event_steps has it, or it is a draft.';
COMMENT ON COLUMN event_drafts.approved_by IS 'The process: instances.id; NULL: not known.';
COMMENT ON COLUMN event_drafts.distributed_at IS
    'When the call of the distribution service ended that made it ACTIVE; it began at held_at. NULL: event_steps has it, or there is none.';
COMMENT ON COLUMN event_drafts.distributed_by IS 'The process: instances.id.';
COMMENT ON TABLE event_steps IS
    'Steps of a publish that have ended and that no other row tells. They die with their event: event_delete, event_prune.';

ALTER TABLE deliveries
    ADD COLUMN attempt_kept boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN deliveries.attempt_kept IS
    'False: the last attempt ended as this row says, and delivery_attempts has no row of it.';
