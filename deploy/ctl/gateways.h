#ifndef HERALD_CTL_GATEWAYS_H
#define HERALD_CTL_GATEWAYS_H

/* How each gateway stands, by HTTP: its /readyz and /metrics. */
#include "server/programs/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_GATEWAYS_MAX     16
#define GATEWAY_BACKENDS_MAX 8

enum gateway_state {
    GATEWAY_AWAY,        /* no answer came */
    GATEWAY_STRANGE,     /* what answers is no gateway, or does not let us in */
    GATEWAY_NOT_SERVING, /* a service behind it has no server that serves, or it ends */
    GATEWAY_SERVING,
};

/** What a gateway says of a server behind it. */
struct gateway_backend_health {
    char name[32], status[16];
};

/** One look at a gateway. The first two fields are given, the rest is its answer. */
struct gateway_look {
    char url[256];
    bool expected;  /* somebody has set where it is; else nothing need listen there */
    uint64_t at_us; /* on the monotonic clock */
    enum gateway_state state;
    char version[32];
    char problem[320], remedy[200]; /* empty while it serves */
    struct gateway_backend_health backends[GATEWAY_BACKENDS_MAX];
    size_t backend_count;
    bool counted; /* the numbers are known */
    uint64_t requests, errors, connections, in_flight;
};

/** The gateways that the settings name; those beyond CTL_GATEWAYS_MAX are left out. Returns: how many */
size_t gateways_of(const struct settings *settings, struct gateway_look looks[CTL_GATEWAYS_MAX]);
/** Asks one gateway. It waits at most two times @timeout_ms. Any thread. */
void gateway_ask(struct gateway_look *look, uint32_t timeout_ms);
/** Asks all of them at once. */
void gateways_ask(struct gateway_look *looks, size_t count, uint32_t timeout_ms);
/** Whether it is one that should be there, or is: others are not worth a line. */
bool gateway_is_shown(const struct gateway_look *look);
/** "SERVING", "NOT_SERVING", "UNREACHABLE" or "UNKNOWN". */
const char *gateway_state_name(enum gateway_state state);

#endif
