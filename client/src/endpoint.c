/* Endpoints: what is the same for every engine. */
#include "client/src/endpoint.h"

#include "client/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void herald_endpoint_note_connection(struct herald_endpoint *endpoint, bool made) {
    if (made) {
        atomic_fetch_add(&endpoint->connections, 1);
        atomic_store(&endpoint->draining, false);
    }
    atomic_fetch_add_explicit(&endpoint->pipe_count, made ? 1 : -1, memory_order_relaxed);
}

/* A message of an earlier connection says nothing about the current one: the server may have been restarted. */
void herald_endpoint_note_draining(struct herald_endpoint *endpoint, uint32_t connection) {
    atomic_store(&endpoint->draining, true);
    if (atomic_load(&endpoint->connections) != connection) {
        atomic_store(&endpoint->draining, false);
    }
}

/* NULL: no memory. */
static char *dialled_url(const struct herald_target *target, const char *address) {
    char url[128];
    if (!*address) {
        return strdup(target->url);
    }
    bool v6 = strchr(address, ':') != NULL;
    snprintf(url, sizeof(url), v6 ? "%s[%s]:%s" : "%s%s:%s", target->head, address, target->port);
    return strdup(url);
}

enum herald_code herald_endpoint_new(const struct herald_engine *engine, const struct herald_target *target,
                                     const char *address, const struct herald_tls *tls, uint32_t max_bytes,
                                     struct herald_endpoint **ret_endpoint, struct herald_error *reterr) {
    struct herald_endpoint *endpoint = calloc(1, sizeof(*endpoint));
    if (endpoint) {
        endpoint->url = dialled_url(target, address);
    }
    if (!endpoint || !endpoint->url) {
        free(endpoint);
        return herald_error_no_memory(reterr, "%s", target->url);
    }
    endpoint->engine = engine;
    endpoint->target = target;
    endpoint->made_ms = (int64_t)(herald_monotonic_us() / 1000);
    snprintf(endpoint->address, sizeof(endpoint->address), "%s", address);
    enum herald_code code = engine->open(engine, endpoint, tls, max_bytes, reterr);
    if (code != HERALD_OK) {
        herald_endpoint_free(endpoint);
        return code;
    }
    endpoint->open = true;
    *ret_endpoint = endpoint;
    return HERALD_OK;
}

bool herald_endpoint_close(struct herald_endpoint *endpoint) {
    return endpoint->engine->close(endpoint);
}

void herald_endpoint_free(struct herald_endpoint *endpoint) {
    if (!endpoint) {
        return;
    }
    endpoint->engine->free(endpoint);
    free(endpoint->url);
    free(endpoint);
}
