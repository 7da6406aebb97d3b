#include "server/process/watchdog.h"

#include "client/base/clock.h"
#include "client/src/close_socket.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "server/rpc/auth.h"
#include "server/rpc/rpc_log.h"
#include "server/transport/listener.h"
#include "server/transport/tls_engine.h"

#include <fcntl.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CHECK_EVERY_MS  1000u
#define CALL_TIMEOUT_MS 1500
/* A TLS listener whose clients need a certificate of another CA than its own refuses each attempt. */
#define REDIAL_MS 500
/* One call without an answer may be bad luck. */
#define SILENT_CALLS_MAX 2u
/* Components that have said nothing for so long after the start are reported as missing. */
#define MISSING_AFTER_CHECKS 3u

struct watchdog {
    struct rpc_server *server;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending;
    unsigned checks;
    bool blind; /* nng hangs when a socket is closed: no more checks, each of which would leave one behind */
    struct rpc_listener *listeners[RPC_LISTENERS_MAX];
    size_t listener_count;
};

static atomic_bool watchdog_enabled = true;

void watchdog_enable(bool enabled) {
    atomic_store(&watchdog_enabled, enabled);
}

static int make_request(nng_msg **ret_request) {
    Herald__Rpc__V1__Request envelope = HERALD__RPC__V1__REQUEST__INIT;
    nng_msg *request = NULL;
    envelope.method = (char *)"herald.rpc.v1.Health/Check";
    envelope.timeout_ms = CALL_TIMEOUT_MS;
    int failure = nng_msg_alloc(&request, herald__rpc__v1__request__get_packed_size(&envelope));
    if (failure == 0) {
        herald__rpc__v1__request__pack(&envelope, nng_msg_body(request));
        *ret_request = request;
    }
    return failure;
}

/* RESENDTIME infinite and RECVMAXSZ before the dial, as for every REQ socket of this project. */
static int configure(nng_socket socket, const struct rpc_server *server) {
    int failure = nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (failure == 0) {
        failure = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, (size_t)server->limits.max_message_bytes + 1024);
    }
    if (failure == 0) {
        failure = nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, CALL_TIMEOUT_MS);
    }
    if (failure == 0) {
        failure = nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, CALL_TIMEOUT_MS);
    }
    if (failure == 0) {
        failure = nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, REDIAL_MS);
    }
    return failure;
}

static int set_tls(nng_dialer dialer, struct tls_identity *identity) {
    nng_tls_config *config = NULL;
    int failure = tls_engine_self_config(identity, &config);
    if (failure != 0) {
        return failure;
    }
    failure = nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config);
    nng_tls_config_free(config);
    return failure;
}

/* Dials in the background: a listener that is dead takes connections and never negotiates. */
static int dial(nng_socket socket, const struct rpc_listener *listener) {
    nng_dialer dialer;
    int failure = nng_dialer_create(&dialer, socket, listener->url);
    if (failure == 0 && listener->tls) {
        failure = set_tls(dialer, listener->tls);
    }
    return failure == 0 ? nng_dialer_start(dialer, NNG_FLAG_NONBLOCK) : failure;
}

static int exchange_health(nng_socket socket, const struct rpc_listener *listener) {
    nng_msg *request = NULL, *reply = NULL;
    int failure = dial(socket, listener);
    if (failure == 0) {
        failure = make_request(&request);
    }
    if (failure == 0 && (failure = nng_sendmsg(socket, request, 0)) != 0) {
        nng_msg_free(request);
    }
    if (failure == 0) {
        failure = nng_recvmsg(socket, &reply, 0);
    }
    nng_msg_free(reply);
    return failure;
}

static int call_health(struct watchdog *watchdog, const struct rpc_listener *listener) {
    nng_socket socket;
    int failure = nng_req0_open(&socket);
    if (failure != 0) {
        return failure;
    }
    failure = configure(socket, listener->server);
    if (failure == 0) {
        failure = exchange_health(socket, listener);
    }
    if (!herald_close_socket(socket)) {
        watchdog->blind = true;
        log_emit(&LOG_LISTENER_UNWATCHED, log_str("url", listener->url), LOG_END);
        rpc_server_report_hung(watchdog->server);
    }
    return failure;
}

static void reopen(struct rpc_listener *listener) {
    struct herald_error error;
    if (rpc_listener_reopen(listener, &error) == HERALD_OK) {
        log_emit(&LOG_LISTENER_REOPENED, log_str("url", listener->url), LOG_END);
    } else {
        log_emit(&LOG_LISTENER_REOPEN_FAILED, log_str("url", listener->url), log_error(&error), LOG_END);
    }
}

/* Connections taken so far. With TLS before the handshake: the server's own certificate need not be one of a client. */
static unsigned long accepted_count(struct rpc_listener *listener) {
    return listener->tls ? tls_identity_accepted_count(listener->tls) : atomic_load(&listener->accepted_count);
}

/* Without descriptors neither the listener nor the watchdog itself can make a connection: that proves nothing about the
 * listener, and opening it again would cut off those who are connected. */
static bool descriptors_are_spent(const struct rpc_listener *listener) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return false;
    }
    log_emit(&LOG_DESCRIPTORS_SPENT, log_str("url", listener->url), LOG_END);
    return true;
}

/* True when the listener answers, or takes the connection at least. */
static bool is_alive(struct watchdog *watchdog, struct rpc_listener *listener) {
    unsigned long accepted = accepted_count(listener);
    if (descriptors_are_spent(listener)) {
        return true;
    }
    int failure = call_health(watchdog, listener);
    if (failure == 0 || watchdog->blind || accepted_count(listener) != accepted) {
        return true;
    }
    if (descriptors_are_spent(listener)) {
        return true;
    }
    log_emit(&LOG_LISTENER_SILENT, log_str("url", listener->url), log_str("why", nng_strerror(failure)), LOG_END);
    return false;
}

static void check(struct watchdog *watchdog, struct rpc_listener *listener) {
    for (unsigned i = 0; i < SILENT_CALLS_MAX; i++) {
        if (is_alive(watchdog, listener)) {
            return;
        }
    }
    reopen(listener);
}

/* Waits for the next round; false when it is the end. */
static bool wait_for_round(struct watchdog *watchdog) {
    const struct timespec next = herald_timespec_in_ms(CHECK_EVERY_MS);
    pthread_mutex_lock(&watchdog->lock);
    while (!watchdog->ending && pthread_cond_timedwait(&watchdog->changed, &watchdog->lock, &next) == 0) {
        continue;
    }
    bool ending = watchdog->ending;
    pthread_mutex_unlock(&watchdog->lock);
    return !ending;
}

static void *run(void *arg) {
    struct watchdog *watchdog = arg;
    while (wait_for_round(watchdog)) {
        pthread_mutex_lock(&watchdog->lock);
        size_t count = watchdog->listener_count; /* it only grows */
        pthread_mutex_unlock(&watchdog->lock);
        if (watchdog->server->credentials) {
            auth_reload(watchdog->server->credentials);
        }
        for (size_t i = 0; i < count; i++) {
            if (watchdog->listeners[i]->tls) {
                tls_identity_reload(watchdog->listeners[i]->tls);
            }
        }
        for (size_t i = 0; i < count && atomic_load(&watchdog_enabled) && !watchdog->blind; i++) {
            check(watchdog, watchdog->listeners[i]);
        }
        if (++watchdog->checks == MISSING_AFTER_CHECKS) {
            health_log_missing(&watchdog->server->health);
        }
    }
    return NULL;
}

static void init_lock(struct watchdog *watchdog) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&watchdog->lock, NULL);
}

static void destroy(struct watchdog *watchdog) {
    pthread_cond_destroy(&watchdog->changed);
    pthread_mutex_destroy(&watchdog->lock);
    free(watchdog);
}

enum herald_code watchdog_new(struct rpc_server *server, struct watchdog **ret_watchdog, struct herald_error *reterr) {
    struct watchdog *watchdog = calloc(1, sizeof(*watchdog));
    if (!watchdog) {
        return herald_error_no_memory(reterr, "the watchdog");
    }
    watchdog->server = server;
    init_lock(watchdog);
    if (pthread_create(&watchdog->thread, NULL, run, watchdog) != 0) {
        destroy(watchdog);
        return herald_error_set(reterr, HERALD_REASON_NO_THREAD, "cannot start the watchdog's thread");
    }
    *ret_watchdog = watchdog;
    return HERALD_OK;
}

void watchdog_free(struct watchdog *watchdog) {
    if (!watchdog) {
        return;
    }
    pthread_mutex_lock(&watchdog->lock);
    watchdog->ending = true;
    pthread_cond_signal(&watchdog->changed);
    pthread_mutex_unlock(&watchdog->lock);
    pthread_join(watchdog->thread, NULL);
    destroy(watchdog);
}

void watchdog_watch(struct watchdog *watchdog, struct rpc_listener *listener) {
    pthread_mutex_lock(&watchdog->lock);
    watchdog->listeners[watchdog->listener_count++] = listener;
    pthread_mutex_unlock(&watchdog->lock);
}
