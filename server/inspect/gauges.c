#include "server/inspect/gauges.h"

#include "server/rpc/server.h"
#include "server/rpc/server_parts.h"
#include "server/runtime/arena.h"

#include <string.h>

#define GAUGES_MAX 256u

struct gauge_sheet {
    struct arena *arena;
    Herald__Rpc__V1__GetStatsResponse *response;
    bool full; /* the arena */
};

void gauges_add(struct rpc_server *server, struct gauge_source *source) {
    struct gauge_source **last = &rpc_server_parts(server)->gauges;
    while (*last) {
        last = &(*last)->next;
    }
    source->next = NULL;
    *last = source;
}

static char *copy_or_empty(struct arena *arena, const char *text) {
    return *text ? arena_strdup(arena, text) : (char *)protobuf_c_empty_string;
}

void gauge_put(struct gauge_sheet *sheet, const char *name, const char *label, double value, const char *text) {
    if (sheet->response->n_gauges == GAUGES_MAX || sheet->full) {
        return;
    }
    Herald__Rpc__V1__Gauge *gauge = arena_alloc(sheet->arena, sizeof(*gauge));
    char *own_label = copy_or_empty(sheet->arena, label), *own_text = copy_or_empty(sheet->arena, text);
    if (!gauge || !own_label || !own_text) {
        sheet->full = true;
        return;
    }
    herald__rpc__v1__gauge__init(gauge);
    gauge->name = (char *)name;
    gauge->label = own_label;
    gauge->value = value;
    gauge->text = own_text;
    sheet->response->gauges[sheet->response->n_gauges++] = gauge;
}

static void put_rate(struct gauge_sheet *sheet, const char *name, const char *label, float rate) {
    gauge_put(sheet, name, label, (double)rate, rate < 0 ? "too few calls" : "");
}

void gauge_put_breaker(struct gauge_sheet *sheet, const char *label, int state, const char *state_name,
                       float failure_rate, float slow_rate) {
    gauge_put(sheet, "breaker", label, state, state_name);
    put_rate(sheet, "failure_rate", label, failure_rate);
    put_rate(sheet, "slow_rate", label, slow_rate);
}

enum herald_code gauges_fill(struct rpc_server *server, struct arena *arena,
                             Herald__Rpc__V1__GetStatsResponse *response, struct herald_error *reterr) {
    struct gauge_source *source = rpc_server_parts(server)->gauges;
    struct gauge_sheet sheet = {.arena = arena, .response = response};
    if (!source) {
        return HERALD_OK;
    }
    response->gauges = arena_calloc(arena, GAUGES_MAX, sizeof(*response->gauges));
    sheet.full = !response->gauges;
    for (; source; source = source->next) {
        source->read(source->self, &sheet);
    }
    return sheet.full ? arena_full(reterr, "the gauges") : HERALD_OK;
}
