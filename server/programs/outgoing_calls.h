#ifndef HERALD_PROGRAMS_OUTGOING_CALLS_H
#define HERALD_PROGRAMS_OUTGOING_CALLS_H

#include "server/outgoing/native_calls.h"
#include "server/programs/settings.h"

#include <string.h>

/** Makes what carries a server's calls of others, as rpc.engine says: nothing for nng. Returns: as native_calls_new() */
static inline enum herald_code settings_open_calls(const struct settings *settings, struct loop *const *loops,
                                                   unsigned loop_count, struct native_calls **ret_calls,
                                                   struct herald_error *reterr) {
    bool native = strcmp(settings->rpc_engine, "native") == 0;
    return native ? native_calls_new(loops, loop_count, ret_calls, reterr) : HERALD_OK;
}

#endif
