#ifndef HERALD_INSPECT_RECENT_H
#define HERALD_INSPECT_RECENT_H

#include "herald/error.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The last calls that were slow or failed, for Introspection/ListRecentCalls: a ring of fixed size under a lock,
 * written to only by such calls.
 */
#define RECENT_CALLS_MAX 256u

struct recent;
struct rpc_call;

/** What is kept of a call. */
struct recent_call {
    const char *method; /* full name, static; empty: it was not known */
    char id[37];
    char caller[65];
    enum herald_code code; /* as it went out */
    char reason[64];
    char message[512];
    int64_t ended_wall_us;
    uint64_t total_us;
    uint64_t queue_us; /* all of the time when the handler did not begin */
    uint64_t handler_us;
    uint64_t downstream_us;
};

enum herald_code recent_new(struct recent **ret_recent, struct herald_error *reterr);
/** NULL is allowed. */
void recent_free(struct recent *recent);
/** Copies what is to be known of an ended call. Any thread; never waits for long. */
void recent_note(struct recent *recent, const struct rpc_call *call, uint64_t total_us);
/**
 * Copies the calls one by one, the latest first. Any thread.
 *
 * @cursor  0 to begin with; private
 * Returns: false at the end, @ret_call is untouched then. What was overwritten in the meantime is left out.
 */
bool recent_next(struct recent *recent, uint64_t *cursor, struct recent_call *ret_call);

#endif
