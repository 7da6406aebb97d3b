#ifndef HERALD_EVENT_PERIOD_H
#define HERALD_EVENT_PERIOD_H

/* The period of an event. */
#include "google/protobuf/timestamp.pb-c.h"
#include "herald/error.h"

#include <stdint.h>

/** Microseconds since 1970; 0: open on that side. */
struct period {
    int64_t starts_at_us, ends_at_us;
};

/**
 * Reads and checks a period: its start before its end, its end in the future. Either may be NULL.
 *
 * @now_us  the database's time, which decides when events begin and end
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_FIELD)
 * Context: any thread
 */
enum herald_code period_of(const Google__Protobuf__Timestamp *starts_at, const Google__Protobuf__Timestamp *ends_at,
                           int64_t now_us, struct period *ret_period, struct herald_error *reterr);

#endif
