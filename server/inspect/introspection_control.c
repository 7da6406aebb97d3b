/* The methods of herald.rpc.v1.Introspection that change a server. Each change is logged with its caller. */
#include "herald/rpc/v1/introspection.server.h"
#include "server/inspect/inspect_log.h"
#include "server/inspect/introspection.h"
#include "server/rpc/rpc_call.h"
#include "server/runtime/failpoint.h"
#include "server/runtime/task.h"

/* The caller that the credential proves, if there is one. log_emit() adds the call's id. */
static struct log_field who(void) {
    const struct call *call = call_current();
    return log_str("caller", call && *call->caller ? call->caller : "not known");
}

/* ---- SetLogLevel ---- */

static void log_level_change(Herald__Rpc__V1__LogLevel previous, Herald__Rpc__V1__LogLevel level) {
    log_emit(&LOG_LEVEL_CHANGED, log_str("previous", herald_rpc_v1_log_level_name(previous)),
             log_str("level", herald_rpc_v1_log_level_name(level)), who(), LOG_END);
}

/* The schema's levels count from 1, the log's from 0, in the same order. */
_Static_assert(HERALD__RPC__V1__LOG_LEVEL__DEBUG == LOG_DEBUG + 1 && HERALD__RPC__V1__LOG_LEVEL__ERROR == LOG_ERROR + 1,
               "the two enumerations must agree");

enum herald_code introspection_set_log_level(void *self, const Herald__Rpc__V1__SetLogLevelRequest *request,
                                             Herald__Rpc__V1__SetLogLevelResponse *response,
                                             struct herald_error *reterr) {
    (void)self;
    (void)reterr;
    /* The change is logged at LOG_INFO at least, whatever the old and new levels are. */
    enum log_level previous = log_set_level(LOG_INFO);
    response->previous = (Herald__Rpc__V1__LogLevel)(previous + 1);
    log_level_change(response->previous, request->level);
    (void)log_set_level((enum log_level)(request->level - 1));
    return HERALD_OK;
}

/* ---- failpoints ---- */

static Herald__Rpc__V1__Failpoint *make_failpoint(unsigned point) {
    struct arena *arena = rpc_call_arena();
    Herald__Rpc__V1__Failpoint *made = arena_alloc(arena, sizeof(*made));
    const char *name, *about;
    char action[FAILPOINT_ACTION_BYTES];
    if (!made) {
        return NULL;
    }
    herald__rpc__v1__failpoint__init(made);
    failpoint_describe(point, &name, &about, action);
    made->name = (char *)name;
    made->about = (char *)about;
    made->action = arena_strdup(arena, action);
    return made->action ? made : NULL;
}

enum herald_code introspection_list_failpoints(void *self, const Herald__Rpc__V1__ListFailpointsRequest *request,
                                               Herald__Rpc__V1__ListFailpointsResponse *response,
                                               struct herald_error *reterr) {
    (void)self;
    (void)request;
    unsigned count = failpoint_count();
    response->failpoints = arena_calloc(rpc_call_arena(), count, sizeof(*response->failpoints));
    if (!response->failpoints) {
        return arena_full(reterr, "the reply");
    }
    for (unsigned i = 0; i < count; i++) {
        response->failpoints[i] = make_failpoint(i);
        if (!response->failpoints[i]) {
            return arena_full(reterr, "the reply");
        }
        response->n_failpoints++;
    }
    return HERALD_OK;
}

enum herald_code introspection_set_failpoint(void *self, const Herald__Rpc__V1__SetFailpointRequest *request,
                                             Herald__Rpc__V1__SetFailpointResponse *response,
                                             struct herald_error *reterr) {
    const Herald__Rpc__V1__Failpoint *failpoint = request->failpoint;
    char previous[FAILPOINT_ACTION_BYTES];
    (void)self;
    enum herald_code code = failpoint_set(failpoint->name, failpoint->action, previous, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    log_emit(&LOG_FAILPOINT_SET, log_str("failpoint", failpoint->name), log_str("previous", previous),
             log_str("action", failpoint->action), who(), LOG_END);
    response->previous = arena_strdup(rpc_call_arena(), previous);
    return response->previous ? HERALD_OK : arena_full(reterr, "the reply");
}
