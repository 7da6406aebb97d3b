#ifndef HERALD_RPC_SERVER_H
#define HERALD_RPC_SERVER_H

#include "herald/error.h"
#include "herald/service.h"
#include "server/rpc/registry.h"
#include "server/runtime/loop.h"
#include "server/settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A server of calls: listeners, services, and the way of a call from its arrival to its reply. It serves what is added to
 * it; what every server of Herald has for its operators comes from server/process/builtin.h.
 */
struct listener;
struct rpc_interceptor;
struct rpc_server;
struct server_parts;

#define RPC_LISTENERS_MAX 8u

/** Makes a server that does not listen yet and serves nothing. @settings outlive it. */
enum herald_code rpc_server_new(const char *server_name, const struct settings *settings, struct loop *const *loops,
                                unsigned loop_count, struct rpc_server **ret_server, struct herald_error *reterr);
/**
 * Begins to check credentials as [auth] asks, and to speak TLS as [tls] does. Before rpc_server_listen(), before other
 * interceptors are added, and before the server's own channels are opened. server_main() does it.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (the callers file) | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code rpc_server_secure(struct rpc_server *server, struct herald_error *reterr);
/** Adds an interceptor; before rpc_server_listen(). Copied. Returns: as interceptors_add() */
enum herald_code rpc_server_intercept(struct rpc_server *server, const struct rpc_interceptor *interceptor,
                                      struct herald_error *reterr);
/** Adds a service; before rpc_server_listen(). @handlers outlives the server. Returns: as registry_add() */
enum herald_code rpc_server_add(struct rpc_server *server, const struct herald_service_binding *binding,
                                const void *handlers, rpc_self_fn *self, void *owner, struct herald_error *reterr);
/**
 * What lives with a server and is told of it; server/process has one. Each function is called with @self.
 */
struct rpc_companion {
    /** rpc_server_need(), for a service that is served; its name is static. */
    enum herald_code (*need)(void *self, const char *service, const char *component, struct herald_error *reterr);
    /** rpc_server_set_health(). Any thread. */
    void (*set_health)(void *self, const char *component, bool serving, const char *message);
    /** Another listener takes calls, and does so until on_close(). An error closes it. */
    enum herald_code (*on_listen)(void *self, struct listener *listener, struct herald_error *reterr);
    /** The listeners are about to be closed. */
    void (*on_close)(void *self);
    /** The last call has ended. Not called when nng hangs. */
    void (*on_free)(void *self);
    void *self;
};
/** Gives a server its companion, once, before anything else is added. Copied. */
void rpc_server_accompany(struct rpc_server *server, const struct rpc_companion *companion);

/**
 * Says that @service needs @component; it is NOT_SERVING ("not connected yet") until rpc_server_set_health() says more.
 *
 * Returns: HERALD_OK, also without a companion | HERALD_NOT_FOUND (reason "UNKNOWN_SERVICE") | HERALD_RESOURCE_EXHAUSTED
 *          (reason "TOO_MANY_COMPONENTS")
 */
enum herald_code rpc_server_need(struct rpc_server *server, const char *service, const char *component,
                                 struct herald_error *reterr);
/** Reports a component. @message  why not, when not serving. Any thread; safe and cheap to repeat. */
void rpc_server_set_health(struct rpc_server *server, const char *component, bool serving, const char *message);
/** Listens on @url. Refuses beyond loopback or a Unix socket without TLS and auth.required, unless settings say
 *  rpc.insecure. */
enum herald_code rpc_server_listen(struct rpc_server *server, const char *url, struct herald_error *reterr);
/** Reads the callers file again if it has changed. One thread at a time, any. */
void rpc_server_reload_callers(struct rpc_server *server);
/** URL as bound: with the real port where @url had port 0. Lives as long as the server; NULL before listening. */
const char *rpc_server_url(const struct rpc_server *server);
/** What its calls pass (server_parts.h), for operators' services to look at. */
struct server_parts *rpc_server_parts(struct rpc_server *server);
/** Its listeners so far, in the order in which they were opened; they live as long as the server. Any thread. */
size_t rpc_server_listener_count(const struct rpc_server *server);
struct listener *rpc_server_listener(const struct rpc_server *server, size_t index);
/**
 * Says whom to tell when nng hangs in this process (see client/src/close_socket.h), which only a new process mends.
 * Told at most once, on a thread of the server's own. Before rpc_server_listen().
 */
void rpc_server_on_hung(struct rpc_server *server, void (*on_hung)(void *user), void *user);
/** Tells it. Any thread. */
void rpc_server_report_hung(struct rpc_server *server);
/** Whether that has been told. Any thread. */
bool rpc_server_is_hung(const struct rpc_server *server);
/** Takes no more calls (UNAVAILABLE, reason "DRAINING") and waits up to @drain_ms for those running. Blocks. Not on a
 * loop. */
void rpc_server_drain(struct rpc_server *server, uint32_t drain_ms);
/**
 * Closes all. Loops have ended or are idle. NULL is allowed.
 *
 * Returns:  true | false: nng hangs and was given up (see client/src/close_socket.h): nothing is freed, neither may the
 *           loops be; the process should end at once
 */
bool rpc_server_free(struct rpc_server *server);

#endif
