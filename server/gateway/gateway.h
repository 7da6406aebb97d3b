#ifndef HERALD_GATEWAY_GATEWAY_H
#define HERALD_GATEWAY_GATEWAY_H

/*
 * The HTTP gateway: it turns requests into calls and replies into answers, and holds no state. Each request is a task,
 * serve_request(), which reads top to bottom.
 */
#include "client/base/task_fn.h"
#include "herald/client.h"
#include "server/gateway/connection.h"
#include "server/gateway/gateway_settings.h"
#include "server/gateway/metrics.h"
#include "server/gateway/routes.h"
#include "server/outgoing/channel_options.h"

/** The servers that are called, in the order of the table. */
#define GATEWAY_BACKENDS(X)                                                                                            \
    X(EVENT, "herald-event", "herald.event.v1.EventService")                                                           \
    X(JOB, "herald-job", "herald.job.v1.JobService")                                                                   \
    X(DISTRIBUTION, "herald-distribution", "herald.distribution.v1.DistributionService")                               \
    X(CONTENT, "herald-content", "")
enum gateway_backend {
#define GATEWAY_BACKEND_ENUM(name, server, service) BACKEND_##name,
    GATEWAY_BACKENDS(GATEWAY_BACKEND_ENUM)
#undef GATEWAY_BACKEND_ENUM
        BACKEND_COUNT
};

/** Most endpoints of all backends that are asked one by one. */
#define GATEWAY_ENDPOINTS_MAX 64u

/** One process of a backend. */
struct gateway_endpoint {
    enum gateway_backend backend;
    char *url;
    struct herald_channel *channel; /* to it alone */
};

struct gateway_options {
    const struct gateway_settings *settings;
    const struct auth_settings *auth;
    const struct native_calls *calls; /* what carries calls; NULL: nng */
    uint32_t max_message_bytes;
    const char *backend_urls[BACKEND_COUNT];
    const char *pictures_url; /* whose pictures pages may show */
    struct routes routes;
};

struct gateway {
    struct gateway_options options;
    struct http_server *server;
    struct herald_channel *backends[BACKEND_COUNT];
    struct gateway_endpoint endpoints[GATEWAY_ENDPOINTS_MAX];
    size_t endpoint_count;
    struct metrics *metrics;
    char *page_policy; /* Content-Security-Policy of pages */
};

/**
 * Binds the address and opens the channels.
 *
 * @options  copied; what it points to outlives the gateway
 * Returns:  HERALD_OK | as http_server_bind(), herald_channel_open()
 * Context:  the main thread
 */
enum herald_code gateway_open(const struct gateway_options *options, struct gateway **ret_gateway,
                              struct herald_error *reterr);
/** Closes it, once its ports are closed. NULL is allowed. Blocks. */
void gateway_free(struct gateway *gateway);

/** Names of a backend: "herald-event", and of its service, empty for none. Static. */
const char *gateway_backend_name(enum gateway_backend backend);
const char *gateway_backend_service(enum gateway_backend backend);

/** Answers a request; as http_server_options.serve. @user  the gateway */
TASK_FN void serve_request(void *user, struct request *request);
/** Whether a path may take a body; as http_server_options.wants_body. @user  the gateway */
bool serve_wants_body(void *user, struct request *request);

#endif
