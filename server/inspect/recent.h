#ifndef HERALD_INSPECT_RECENT_H
#define HERALD_INSPECT_RECENT_H

/*
 * The last calls that were slow or failed, for Introspection/ListRecentCalls: a ring of fixed size under a lock. Only
 * such calls write to it.
 */
#include "herald/error.h"

#include <stdbool.h>
#include <stdint.h>

#define RECENT_CALLS_MAX 256u

struct recent;
struct rpc_call;

/** The record of a call. */
struct recent_call {
    const char *method; /* full name, static; empty: the server did not know it */
    char id[37];
    char caller[65];
    enum herald_code code; /* as on the wire */
    char reason[64];
    char message[512];
    int64_t ended_wall_us;
    uint64_t total_us;
    uint64_t queue_us; /* equal to total_us if the handler did not begin */
    uint64_t handler_us;
    uint64_t downstream_us;
};

/** Makes an empty ring. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY") */
enum herald_code recent_new(struct recent **ret_recent, struct herald_error *reterr);
/** NULL is allowed. */
void recent_free(struct recent *recent);
/** Adds an ended call. Any thread; holds the lock for a copy only. */
void recent_note(struct recent *recent, const struct rpc_call *call, uint64_t total_us);
/**
 * Copies the next call, from the latest to the oldest. Calls that were overwritten meanwhile are skipped. Any thread.
 *
 * @cursor  0 for the latest; afterwards private
 * Returns: true | false: there is no other call, and @ret_call is untouched
 */
bool recent_next(struct recent *recent, uint64_t *cursor, struct recent_call *ret_call);

#endif
