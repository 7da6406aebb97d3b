#include "server/transport/listener.h"

#include "server/runtime/call.h"
#include "server/transport/listener_private.h"
#include "server/transport/transport_log.h"
#include "server/transport/unread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The most extra connections that one round of listener_sweep() closes. */
#define SWEPT_AT_ONCE          256u
#define UNREAD_LOGGED_EVERY_US 1000000u
/* A reply's envelope may make it longer than a request. */
#define SELF_CALL_REPLY_EXTRA_BYTES 1024u

/* ---- connections ---- */

static void close_connection(struct listener *listener, uint32_t id) {
    listener->exchanges.engine->close_peer(&listener->exchanges, id, false);
}

/* Counts a connection that was closed, or accepted only to be refused. */
static void note_refusal(struct listener *listener) {
    unsigned long count = 0;
    if (peers_note_refusal(&listener->peers, clock_now_us(), &count)) {
        log_emit(&LOG_CONNECTIONS_REFUSED, log_str("url", listener->url), log_u64("refused", count),
                 log_u64("max_connections", listener->max_connections), LOG_END);
    }
}

static void evict(struct listener *listener, uint32_t id) {
    if (id == 0) {
        return;
    }
    close_connection(listener, id);
    note_refusal(listener);
}

static void begin_sweep(struct listener *listener) {
    if (!atomic_exchange(&listener->sweeping, true)) {
        listener->engine->sweep_later(listener);
    }
}

static void sweep_due(struct listener *listener, uint64_t now_us) {
    uint32_t due[SWEPT_AT_ONCE];
    size_t count = peers_take_due(&listener->peers, now_us, due, SWEPT_AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        close_connection(listener, due[i]);
    }
}

static void sweep_unread(struct listener *listener, uint64_t now_us) {
    size_t count = unread_drop(&listener->exchanges, now_us);
    if (count == 0 || now_us - listener->unread_log_us < UNREAD_LOGGED_EVERY_US) {
        return;
    }
    listener->unread_log_us = now_us;
    log_emit(&LOG_CONNECTIONS_UNREAD, log_str("url", listener->url), log_u64("connections", count), LOG_END);
}

static bool has_to_sweep(struct listener *listener) {
    return unread_is_pressing(&listener->exchanges) || atomic_load(&listener->peers.extra_count) > 0;
}

/* Runs again until there is nothing to sweep. Only one round is scheduled at a time: `sweeping` stays true until the last
 * one. After clearing it listener_sweep() checks once more, because begin_sweep() did nothing while it was true. */
void listener_sweep(struct listener *listener) {
    uint64_t now_us = clock_now_us();
    sweep_due(listener, now_us);
    if (unread_is_pressing(&listener->exchanges)) {
        sweep_unread(listener, now_us);
    }
    if (has_to_sweep(listener)) {
        listener->engine->sweep_later(listener);
        return;
    }
    atomic_store(&listener->sweeping, false);
    if (has_to_sweep(listener)) {
        begin_sweep(listener);
    }
}

static void on_short(void *owner) {
    struct listener *listener = owner;
    if (unread_is_pressing(&listener->exchanges)) {
        begin_sweep(listener);
    }
}

bool listener_serves(struct exchange *exchange) {
    struct listener *listener = exchange->pool->owner;
    uint32_t evicted = 0;
    enum peers_answer answer =
        peers_ask(&listener->peers, exchange->pipe_id, listener->max_connections, exchange->received_us, &evicted);
    evict(listener, evicted);
    return answer == PEERS_SERVE;
}

bool listener_admit(struct listener *listener, uint32_t id) {
    uint32_t evicted = 0;
    atomic_fetch_add(&listener->accepted_count, 1);
    enum peers_place place = peers_add(&listener->peers, id, listener->max_connections, clock_now_us(), &evicted);
    evict(listener, evicted);
    if (place == PEERS_EXTRA) {
        begin_sweep(listener);
    }
    if (place != PEERS_TAKEN) {
        note_refusal(listener);
    }
    return place != PEERS_TURNED_AWAY;
}

/* ---- life ---- */

enum herald_code listener_no_memory(const char *url, struct herald_error *reterr) {
    return herald_error_no_memory(reterr, "a listener on %s", url);
}

enum herald_code listener_in_use(const struct listener *listener, const char *url, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_ADDRESS_IN_USE,
                            "%s cannot listen on %s: the address is in use, perhaps by another %s; stop that one "
                            "or choose another URL",
                            listener->server_name, url, listener->server_name);
}

enum herald_code listener_cannot_listen(const struct listener *listener, const char *url, const char *why,
                                        struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_CANNOT_LISTEN, "%s cannot listen on %s: %s", listener->server_name,
                            url, why);
}

static void init_listener(struct listener *listener, const struct listener_options *options) {
    snprintf(listener->server_name, sizeof(listener->server_name), "%s", options->server_name);
    listener->engine = options->is_native ? &listener_engine_native : &listener_engine_nng;
    listener->max_message_bytes = options->max_message_bytes;
    listener->max_connections = options->max_connections;
    listener->exchanges = (struct exchange_pool){
        .engine = listener->engine->exchanges,
        .ops = options->ops,
        .user = options->user,
        .peers = &listener->peers,
        .on_short = on_short,
        .owner = listener,
        .limit = options->max_in_flight + options->spare_contexts,
        .spare = options->spare_contexts,
    };
    exchange_pool_init(&listener->exchanges);
    peers_init(&listener->peers, exchange_on_cancel);
}

/* Engines remove a socket that nobody listens on. Any other file is somebody's, and a wrong path is easily set. */
static bool is_in_the_way(const char *url) {
    static const char HEAD[] = "ipc://";
    struct stat state;
    return strncmp(url, HEAD, sizeof(HEAD) - 1) == 0 && stat(url + sizeof(HEAD) - 1, &state) == 0 &&
           !S_ISSOCK(state.st_mode);
}

static enum herald_code start_listener(struct listener *listener, const char *url,
                                       const struct listener_options *options, struct herald_error *reterr) {
    if (strncmp(url, "tls+", 4) == 0) {
        enum herald_code code = tls_identity_new(options->tls, &listener->tls, reterr);
        if (code != HERALD_OK) {
            return code;
        }
        tls_identity_warn(listener->tls);
    }
    if (is_in_the_way(url)) {
        return listener_cannot_listen(listener, url, "the path is that of a file which is no socket", reterr);
    }
    return listener->engine->open(listener, url, options, reterr);
}

enum herald_code listener_open(const char *url, const struct listener_options *options, struct listener **ret_listener,
                               struct herald_error *reterr) {
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener) {
        return herald_error_no_memory(reterr, "a listener");
    }
    init_listener(listener, options);
    enum herald_code code = start_listener(listener, url, options, reterr);
    if (code != HERALD_OK) {
        (void)listener_close(listener);
        return code;
    }
    *ret_listener = listener;
    return HERALD_OK;
}

bool listener_close(struct listener *listener) {
    if (!listener) {
        return true;
    }
    peers_close(&listener->peers);
    if (!listener->engine->close(listener)) {
        return false;
    }
    exchange_pool_fini(&listener->exchanges);
    if (listener->engine->free) {
        listener->engine->free(listener);
    }
    tls_identity_unref(listener->tls);
    peers_fini(&listener->peers);
    free(listener);
    return true;
}

enum herald_code listener_reopen(struct listener *listener, struct herald_error *reterr) {
    return listener->engine->reopen(listener, reterr);
}

const char *listener_url(const struct listener *listener) {
    return listener->url;
}

unsigned listener_connection_count(struct listener *listener) {
    pthread_mutex_lock(&listener->peers.lock);
    unsigned count = listener->peers.count;
    pthread_mutex_unlock(&listener->peers.lock);
    return count;
}

unsigned long listener_accepted_count(struct listener *listener) {
    return atomic_load(&listener->accepted_count);
}

bool listener_tls_outdated(const struct listener *listener) {
    return listener->tls && tls_identity_is_outdated(listener->tls);
}

void listener_reload_tls(struct listener *listener, bool again) {
    if (listener->tls) {
        tls_identity_reload(listener->tls, again);
    }
}

const char *listener_call_self(struct listener *listener, const void *request, size_t request_bytes,
                               uint32_t timeout_ms, bool *ret_hung) {
    const struct self_call call = {.url = listener->url,
                                   .tls = listener->tls,
                                   .request = request,
                                   .request_bytes = request_bytes,
                                   .max_reply_bytes = (size_t)listener->max_message_bytes + SELF_CALL_REPLY_EXTRA_BYTES,
                                   .timeout_ms = timeout_ms};
    return listener->engine->call_self(listener, &call, ret_hung);
}

const char *listener_library_version(void) {
    return nng_version();
}
