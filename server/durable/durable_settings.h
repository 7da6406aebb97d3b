#ifndef HERALD_DURABLE_DURABLE_SETTINGS_H
#define HERALD_DURABLE_DURABLE_SETTINGS_H

#include "server/settings/part.h"

#define IDEMPOTENCY_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                       \
    UINT(idempotency, keep_s, 86400, 60, 2592000, "How long a ONCE call's reply is kept for its repeats, s.")
SETTINGS_PART(idempotency, IDEMPOTENCY_SETTINGS)

#define OUTBOX_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                            \
    UINT(outbox, poll_ms, 1000, 10, 60000, "How often the relay looks for records that were not sent, ms.")            \
    UINT(outbox, lease_ms, 10000, 1000, 600000, "How long a relay owns what it took, ms.")
SETTINGS_PART(outbox, OUTBOX_SETTINGS)

#define CLAIMS_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                            \
    UINT(claims, lease_ms, 5000, 1000, 600000,                                                                         \
         "How long after its last sign of life the claims of a process with an open session are released, ms.")
SETTINGS_PART(claims, CLAIMS_SETTINGS)

#define RETENTION_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                         \
    UINT(retention, event_days, 0, 0, 36500, "How long an event is kept after its end, days. 0: for ever.")            \
    UINT(retention, job_days, 90, 0, 36500, "How long a job is kept after its end, days. 0: for ever.")                \
    UINT(retention, attempt_days, 365, 0, 36500,                                                                       \
         "How long the attempts of settled deliveries are kept, days. 0: for ever.")
SETTINGS_PART(retention, RETENTION_SETTINGS)

#endif
