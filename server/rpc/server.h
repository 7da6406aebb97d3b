#ifndef HERALD_RPC_SERVER_H
#define HERALD_RPC_SERVER_H

/*
 * A server of calls: listeners, services, and the way of a call from its arrival to its reply. It serves only the
 * services that are added. server/process/builtin.h adds those that every Herald server has for its operators.
 *
 * Threads: set up and freed by one thread. Once it listens, functions may be called from other threads as each one
 * says.
 */
#include "herald/error.h"
#include "herald/service.h"
#include "server/rpc/registry.h"
#include "server/runtime/loop.h"
#include "server/settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct listener;
struct rpc_interceptor;
struct rpc_server;
struct rpc_signature_taker;
struct server_parts;

#define RPC_LISTENERS_MAX 8u

/** Makes a server that does not listen yet and serves nothing. @settings and @loops outlive it.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY") */
enum herald_code rpc_server_new(const char *server_name, const struct settings *settings, struct loop *const *loops,
                                unsigned loop_count, struct rpc_server **ret_server, struct herald_error *reterr);
/**
 * Checks credentials from now on as [auth] says, and prepares TLS as [tls] says. Call it before rpc_server_listen(),
 * before the program adds interceptors, and before it opens channels. server_main() does it.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (as auth_new()) | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY",
 *           "TOO_MANY_INTERCEPTORS")
 */
enum herald_code rpc_server_secure(struct rpc_server *server, struct herald_error *reterr);
/** Adds an interceptor; before rpc_server_listen(). Copied. Returns: as interceptors_add() */
enum herald_code rpc_server_intercept(struct rpc_server *server, const struct rpc_interceptor *interceptor,
                                      struct herald_error *reterr);
/** Remembers signatures beyond this process; before rpc_server_listen(). Copied. */
void rpc_server_take_signatures(struct rpc_server *server, const struct rpc_signature_taker *taker);
/** Adds a service; before rpc_server_listen(). @handlers outlives the server. Returns: as registry_add() */
enum herald_code rpc_server_add(struct rpc_server *server, const struct herald_service_binding *binding,
                                const void *handlers, rpc_self_fn *self, void *owner, struct herald_error *reterr);
/**
 * A companion lives as long as its server: the server calls these functions with @self. server/process/builtin.c has
 * one. Each function may be NULL.
 */
struct rpc_companion {
    /** rpc_server_need() for a served @service, whose name is static.
     *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_COMPONENTS") */
    enum herald_code (*need)(void *self, const char *service, const char *component, struct herald_error *reterr);
    /** rpc_server_set_health(). Any thread. */
    void (*set_health)(void *self, const char *component, bool serving, const char *message);
    /** rpc_server_set_loop_health(). Any thread. */
    void (*set_loop_health)(void *self, const char *component, unsigned loop_index, bool serving, const char *message);
    /** A new listener accepts calls until on_close(). Returns: HERALD_OK | any code, which closes the listener and is
     *  returned by rpc_server_listen() */
    enum herald_code (*on_listen)(void *self, struct listener *listener, struct herald_error *reterr);
    /** rpc_server_reload(). */
    void (*on_reload)(void *self);
    /** The listeners are about to be closed. */
    void (*on_close)(void *self);
    /** The last call has ended. Not called when nng hangs. */
    void (*on_free)(void *self);
    void *self;
};
/** Gives a server its companion, once, before anything else is added. Copied. */
void rpc_server_accompany(struct rpc_server *server, const struct rpc_companion *companion);

/**
 * Declares that @service needs @component. The service is NOT_SERVING ("not connected yet") until
 * rpc_server_set_health() reports the component.
 *
 * Returns: HERALD_OK, also without a companion | HERALD_NOT_FOUND (reason "UNKNOWN_SERVICE") |
 *          HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_COMPONENTS")
 */
enum herald_code rpc_server_need(struct rpc_server *server, const char *service, const char *component,
                                 struct herald_error *reterr);
/** Reports a component. @message  why it does not serve. Any thread; safe and cheap to repeat. */
void rpc_server_set_health(struct rpc_server *server, const char *component, bool serving, const char *message);
/** Reports a component of which each loop has its own: it serves when it does on all of the server's loops. All loops
 *  report it. Else as rpc_server_set_health(). */
void rpc_server_set_loop_health(struct rpc_server *server, const char *component, unsigned loop_index, bool serving,
                                const char *message);
/**
 * Listens on @url. Beyond loopback or a Unix socket it needs TLS and auth.required, or rpc.insecure.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_LISTENERS") | as listen_url_check() | as
 *          listener_open() | the code of the companion's on_listen()
 */
enum herald_code rpc_server_listen(struct rpc_server *server, const char *url, struct herald_error *reterr);
/** Reloads the callers file if it has changed. @again  also when it has not. One thread at a time, any. */
void rpc_server_reload_callers(struct rpc_server *server, bool again);
/** True when the callers file, or a listener's certificate, was not good at the last reload: what was read before is in
 *  force. Any thread. */
bool rpc_server_callers_outdated(const struct rpc_server *server);
bool rpc_server_certificates_outdated(const struct rpc_server *server);
/** Has the companion read the server's files again, whether they have changed or not. Waits for it. Not on a loop. */
void rpc_server_reload(struct rpc_server *server);
/** The first listener's URL, with the real port in place of port 0. Lives as long as the server; NULL before
 *  listening. */
const char *rpc_server_url(const struct rpc_server *server);
/** The server's parts (server_parts.h), for the operators' services. */
struct server_parts *rpc_server_parts(struct rpc_server *server);
/** The listeners so far, in the order in which they were opened; they live as long as the server. Any thread. */
size_t rpc_server_listener_count(const struct rpc_server *server);
struct listener *rpc_server_listener(const struct rpc_server *server, size_t index);
/**
 * Sets the callback for a hung nng (see client/src/close_socket.h), which only a new process can repair. It is called
 * at most once, by rpc_server_report_hung(). Set it before rpc_server_listen().
 */
void rpc_server_on_hung(struct rpc_server *server, void (*on_hung)(void *user), void *user);
/** Reports that nng hangs: calls the callback, the first time. Any thread. */
void rpc_server_report_hung(struct rpc_server *server);
/** True once rpc_server_report_hung() was called. Any thread. */
bool rpc_server_is_hung(const struct rpc_server *server);
/** Refuses new calls (UNAVAILABLE, reason "DRAINING") and waits up to @drain_ms for the running ones; then cancels
 *  those and waits up to 2 s more. Blocks. Not on a loop. */
void rpc_server_drain(struct rpc_server *server, uint32_t drain_ms);
/**
 * Closes the listeners and frees the server. The loops have ended or are idle. NULL is allowed.
 *
 * Returns:  true | false: nng hangs and was given up (see client/src/close_socket.h); nothing is freed, the loops must
 *           not be freed either, and the process should end at once
 */
bool rpc_server_free(struct rpc_server *server);

#endif
