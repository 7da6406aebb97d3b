-- Releases deliveries of which this process knows nothing: it claimed them, and the answer of that statement was lost, so
-- nothing was sent. A look-up that was claimed is to be made again.
-- Effect: write
-- $1 holder  $2 event_ids  $3 channels  $4 attempts
UPDATE deliveries
SET state = CASE WHEN state = 'RECONCILING' THEN 'OUTCOME_UNKNOWN' ELSE 'READY' END, holder = NULL, next_at = now()
FROM unnest($2::uuid[], $3::text[], $4::integer[]) AS lost (lost_event, lost_channel, lost_attempt)
WHERE event_id = lost_event AND channel = lost_channel AND attempts = lost_attempt AND holder = $1::uuid AND NOT settled
