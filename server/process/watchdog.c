#include "server/process/watchdog.h"

#include "client/base/clock.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "server/inspect/health.h"
#include "server/process/process_log.h"
#include "server/rpc/server.h"
#include "server/transport/listener.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CHECK_EVERY_MS    1000u
#define CALL_TIMEOUT_MS   1500
#define REQUEST_MAX_BYTES 64u
/* Calls without an answer in a row before a listener is opened again; a single one may fail by chance. */
#define SILENT_CALLS_MAX 2u
/* Rounds after the start until components that have not been reported are logged as missing. */
#define MISSING_AFTER_CHECKS 3u
/* A round may wait for listeners that do not answer. */
#define RELOAD_WAIT_MS 10000u

struct watchdog {
    struct rpc_server *server;
    struct health *health;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending;
    bool reload_wanted;
    unsigned reload_count;
    unsigned checks;
    bool blind; /* nng hangs when a socket is closed: checks have ended, since each would leak a socket */
    struct listener *listeners[RPC_LISTENERS_MAX];
    size_t listener_count;
};

static atomic_bool watchdog_enabled = true;

void watchdog_enable(bool enabled) {
    atomic_store(&watchdog_enabled, enabled);
}

/* Packs a request of Health/Check. */
static size_t pack_request(uint8_t ret_request[REQUEST_MAX_BYTES]) {
    Herald__Rpc__V1__Request envelope = HERALD__RPC__V1__REQUEST__INIT;
    envelope.method = (char *)"herald.rpc.v1.Health/Check";
    envelope.timeout_ms = CALL_TIMEOUT_MS;
    assert(herald__rpc__v1__request__get_packed_size(&envelope) <= REQUEST_MAX_BYTES);
    return herald__rpc__v1__request__pack(&envelope, ret_request);
}

/* NULL: the listener answered; otherwise why it did not. */
static const char *call_health(struct watchdog *watchdog, struct listener *listener) {
    uint8_t request[REQUEST_MAX_BYTES];
    size_t bytes = pack_request(request);
    const char *why = listener_call_self(listener, request, bytes, CALL_TIMEOUT_MS, &watchdog->blind);
    if (watchdog->blind) {
        log_emit(&LOG_LISTENER_UNWATCHED, log_str("url", listener_url(listener)), LOG_END);
        rpc_server_report_hung(watchdog->server);
    }
    return why;
}

static void reopen(struct listener *listener) {
    struct herald_error error;
    if (listener_reopen(listener, &error) == HERALD_OK) {
        log_emit(&LOG_LISTENER_REOPENED, log_str("url", listener_url(listener)), LOG_END);
    } else {
        log_emit(&LOG_LISTENER_REOPEN_FAILED, log_str("url", listener_url(listener)), log_error(&error), LOG_END);
    }
}

/* True when the process has no descriptor left. Neither listener nor watchdog can then make a connection, which proves
 * nothing about the listener; opening it again would cut off its clients. */
static bool descriptors_are_spent(const struct listener *listener) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return false;
    }
    log_emit(&LOG_DESCRIPTORS_SPENT, log_str("url", listener_url(listener)), LOG_END);
    return true;
}

/* True when the listener answers, or at least accepts the connection. */
static bool is_alive(struct watchdog *watchdog, struct listener *listener) {
    unsigned long accepted = listener_accepted_count(listener);
    if (descriptors_are_spent(listener)) {
        return true;
    }
    const char *why = call_health(watchdog, listener);
    if (!why || watchdog->blind || listener_accepted_count(listener) != accepted) {
        return true;
    }
    if (descriptors_are_spent(listener)) {
        return true;
    }
    log_emit(&LOG_LISTENER_SILENT, log_str("url", listener_url(listener)), log_str("why", why), LOG_END);
    return false;
}

static void check_listener(struct watchdog *watchdog, struct listener *listener) {
    for (unsigned i = 0; i < SILENT_CALLS_MAX; i++) {
        if (is_alive(watchdog, listener)) {
            return;
        }
    }
    reopen(listener);
}

/* Waits for the next round; false when the watchdog ends. */
static bool wait_for_round(struct watchdog *watchdog) {
    const struct timespec next = herald_timespec_in_ms(CHECK_EVERY_MS);
    pthread_mutex_lock(&watchdog->lock);
    while (!watchdog->ending && !watchdog->reload_wanted &&
           pthread_cond_timedwait(&watchdog->changed, &watchdog->lock, &next) == 0) {
        continue;
    }
    bool ending = watchdog->ending;
    pthread_mutex_unlock(&watchdog->lock);
    return !ending;
}

/* Reads the files: those that have changed, or all when somebody waits for it. */
static void reload_files(struct watchdog *watchdog, size_t listener_count) {
    pthread_mutex_lock(&watchdog->lock);
    bool again = watchdog->reload_wanted;
    watchdog->reload_wanted = false;
    pthread_mutex_unlock(&watchdog->lock);
    rpc_server_reload_callers(watchdog->server, again);
    for (size_t i = 0; i < listener_count; i++) {
        listener_reload_tls(watchdog->listeners[i], again);
    }
    if (again) {
        pthread_mutex_lock(&watchdog->lock);
        watchdog->reload_count++;
        pthread_cond_broadcast(&watchdog->changed);
        pthread_mutex_unlock(&watchdog->lock);
    }
}

static void *run_watchdog(void *arg) {
    struct watchdog *watchdog = arg;
    while (wait_for_round(watchdog)) {
        pthread_mutex_lock(&watchdog->lock);
        size_t count = watchdog->listener_count; /* only grows, so the first `count` listeners may be read unlocked */
        pthread_mutex_unlock(&watchdog->lock);
        reload_files(watchdog, count);
        for (size_t i = 0; i < count && atomic_load(&watchdog_enabled) && !watchdog->blind; i++) {
            check_listener(watchdog, watchdog->listeners[i]);
        }
        if (++watchdog->checks == MISSING_AFTER_CHECKS) {
            health_log_missing(watchdog->health);
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

enum herald_code watchdog_new(struct rpc_server *server, struct health *health, struct watchdog **ret_watchdog,
                              struct herald_error *reterr) {
    struct watchdog *watchdog = calloc(1, sizeof(*watchdog));
    if (!watchdog) {
        return herald_error_no_memory(reterr, "the watchdog");
    }
    watchdog->server = server;
    watchdog->health = health;
    init_lock(watchdog);
    if (pthread_create(&watchdog->thread, NULL, run_watchdog, watchdog) != 0) {
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
    pthread_cond_broadcast(&watchdog->changed);
    pthread_mutex_unlock(&watchdog->lock);
    pthread_join(watchdog->thread, NULL);
    destroy(watchdog);
}

void watchdog_watch(struct watchdog *watchdog, struct listener *listener) {
    pthread_mutex_lock(&watchdog->lock);
    watchdog->listeners[watchdog->listener_count++] = listener;
    pthread_mutex_unlock(&watchdog->lock);
}

void watchdog_reload(struct watchdog *watchdog) {
    const struct timespec until = herald_timespec_in_ms(RELOAD_WAIT_MS);
    int failure = 0;
    pthread_mutex_lock(&watchdog->lock);
    unsigned count = watchdog->reload_count;
    watchdog->reload_wanted = true;
    pthread_cond_broadcast(&watchdog->changed);
    while (watchdog->reload_count == count && failure == 0) {
        failure = pthread_cond_timedwait(&watchdog->changed, &watchdog->lock, &until);
    }
    pthread_mutex_unlock(&watchdog->lock);
}
