/*
 * The states of a link. One timer, whose meaning is the state:
 *
 *   RESOLVING, CONNECTING, GREETING   the limit of the step; ASKING: of a sentinel's answer
 *   UP                                the next heartbeat, or the limit of the answer to the last one
 *   WAITING                           the next attempt
 *
 * An attempt resolves `at`, tries its addresses, and greets. With Sentinel it first does so with the sentinels, until
 * one names the primary; `seeking` is true meanwhile.
 *
 * Memory: the link counts its users: its owner, its timer, a name look-up in flight, each wire. `link->wire` is cleared
 * before a wire is closed, so what it still calls back is recognized.
 */
#include "server/store/redis/redis_link.h"

#include "client/base/backoff.h"
#include "server/runtime/loop.h"
#include "server/store/redis/redis_fault.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum link_state { LINK_WAITING, LINK_RESOLVING, LINK_CONNECTING, LINK_ASKING, LINK_GREETING, LINK_UP, LINK_CLOSED };

#define BACKOFF_MIN_MS   50
#define BACKOFF_MAX_MS   2000
#define HEARTBEAT_MAX_MS 1000

struct redis_link {
    struct redis_link_options options;
    struct redis_url url;
    enum link_state state;
    unsigned users;
    struct redis_host at;    /* whom the present step speaks to */
    bool seeking;            /* `at` is a sentinel */
    unsigned sentinel;       /* index of the one that is asked, or answered last */
    unsigned asked;          /* sentinels of this attempt */
    struct redis_wire *wire; /* the present connection */
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    struct addrinfo *addresses, *next_address; /* of the present look-up */
    struct herald_backoff backoff;             /* between failed attempts; the first attempt has none */
    bool failing;                              /* the last attempt failed */
    bool heartbeat_unanswered;
    bool retiring;
    char told[240]; /* the last on_down; empty: up since */
};

static void begin_attempt(struct redis_link *link);
static void resolve(struct redis_link *link);

static void unref(struct redis_link *link) {
    if (--link->users > 0) {
        return;
    }
    void (*on_freed)(void *) = link->options.on_freed;
    void *user = link->options.user;
    if (link->addresses) {
        uv_freeaddrinfo(link->addresses);
    }
    explicit_bzero(&link->url, sizeof(link->url));
    free(link);
    if (on_freed) {
        on_freed(user);
    }
}

/* --- States --- */

static void on_link_timer(uv_timer_t *timer);

static void arm_link(struct redis_link *link, enum link_state state, uint32_t ms) {
    link->state = state;
    uv_timer_start(&link->timer, on_link_timer, ms, 0);
}

void redis_link_place(const struct redis_link *link, char *ret_text, size_t bytes) {
    bool v6 = strchr(link->at.host, ':') != NULL;
    snprintf(ret_text, bytes, "%s%.160s%s:%s", v6 ? "[" : "", link->at.host, v6 ? "]" : "", link->at.port);
}

static void tell_down(struct redis_link *link, const char *why) {
    struct herald_error error = {0};
    char place[180], text[sizeof(link->told)];
    redis_link_place(link, place, sizeof(place));
    snprintf(text, sizeof(text), "Redis%s at %s: %s", link->seeking ? " Sentinel" : "", place, why);
    if (strcmp(text, link->told) == 0) {
        return;
    }
    memcpy(link->told, text, sizeof(text));
    herald_error_set(&error, HERALD_REASON_REDIS_UNAVAILABLE, "%s", text);
    link->options.on_down(link->options.user, &error);
}

/* The connection or the attempt is over and all of it is released. */
static void lose(struct redis_link *link, const char *why) {
    enum link_state was = link->state;
    if (was == LINK_CLOSED) {
        return;
    }
    if (was == LINK_CONNECTING && link->next_address) {
        begin_attempt(link);
        return;
    }
    if (link->seeking && ++link->asked < link->url.host_count) {
        link->sentinel = (link->sentinel + 1) % link->url.host_count;
        link->at = link->url.hosts[link->sentinel];
        resolve(link);
        return;
    }
    if (was == LINK_UP && !link->retiring) {
        herald_backoff_succeeded(&link->backoff);
        arm_link(link, LINK_WAITING, 0);
    } else {
        link->failing = true;
        arm_link(link, LINK_WAITING, herald_backoff_failed(&link->backoff));
    }
    link->retiring = false;
    tell_down(link, why);
}

static void close_link_wire(struct redis_link *link) {
    struct redis_wire *wire = link->wire;
    link->wire = NULL;
    if (wire) {
        redis_wire_close(wire);
    }
}

static void drop_connection(struct redis_link *link, const char *why) {
    close_link_wire(link);
    lose(link, why);
}

void redis_link_retire(struct redis_link *link, const char *why) {
    if (link->state == LINK_UP) {
        link->retiring = true;
        drop_connection(link, why);
    }
}

static void beat(struct redis_link *link) {
    if (link->heartbeat_unanswered) {
        drop_connection(link, "no answer to a heartbeat");
        return;
    }
    link->heartbeat_unanswered = true;
    arm_link(link, LINK_UP, link->options.timeout_ms);
    if (!link->options.send_heartbeat(link->options.user, link->wire)) {
        drop_connection(link, "no memory for a heartbeat");
    }
}

void redis_link_heard(struct redis_link *link) {
    if (link->state != LINK_UP || !link->heartbeat_unanswered) {
        return;
    }
    uint32_t ms = link->options.timeout_ms < HEARTBEAT_MAX_MS ? link->options.timeout_ms : HEARTBEAT_MAX_MS;
    link->heartbeat_unanswered = false;
    link->failing = false;
    link->told[0] = '\0';
    herald_backoff_succeeded(&link->backoff);
    arm_link(link, LINK_UP, ms);
}

static void go_up(struct redis_link *link) {
    link->state = LINK_UP;
    link->heartbeat_unanswered = false;
    link->options.on_up(link->options.user);
    if (link->state == LINK_UP) {
        beat(link);
    }
}

/* --- Greeting --- */

/* Returns: the link, if the reply is one of its present greeting and no error that ends it. */
static bool is_greeted(struct redis_link *link, struct redis_wire *wire, const redisReply *reply, const char *command) {
    if (!reply || link->wire != wire || (link->state != LINK_GREETING && link->state != LINK_ASKING)) {
        return false; /* lost or dropped: reported elsewhere */
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        char why[200];
        const struct redis_fault *fault = redis_fault_find(reply->str);
        snprintf(why, sizeof(why), "%s was refused: %s%s%s", command, reply->str, fault ? "; " : "",
                 fault ? fault->cure : "");
        drop_connection(link, why);
        return false;
    }
    return true;
}

static void on_auth(struct redis_wire *wire, const redisReply *reply, void *data) {
    (void)is_greeted(data, wire, reply, "AUTH");
}

static void on_select(struct redis_wire *wire, const redisReply *reply, void *data) {
    (void)is_greeted(data, wire, reply, "SELECT");
}

/* Where the ACL does not allow ROLE, the first write tells. */
static void on_role(struct redis_wire *wire, const redisReply *reply, void *data) {
    struct redis_link *link = data;
    bool denied = reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOPERM", 6) == 0;
    if (denied || !is_greeted(link, wire, reply, "ROLE")) {
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 || !reply->element[0]->str ||
        strcmp(reply->element[0]->str, "master") != 0) {
        drop_connection(link, "the sentinels name it as the primary, and it is a replica (yet)");
    }
}

/* What keeps Redis from answering a PING may leave it answering others: the heartbeat finds out. */
static void on_ping(struct redis_wire *wire, const redisReply *reply, void *data) {
    struct redis_link *link = data;
    const struct redis_fault *fault = reply && reply->type == REDIS_REPLY_ERROR ? redis_fault_find(reply->str) : NULL;
    bool tolerated = fault && !fault->retire && link->wire == wire && link->state == LINK_GREETING;
    if (tolerated || is_greeted(link, wire, reply, "PING")) {
        go_up(link);
    }
}

static void use_primary(struct redis_link *link, const redisReply *reply) {
    struct redis_host primary;
    if (reply->elements != 2 || !reply->element[0]->str || !reply->element[1]->str ||
        reply->element[0]->len >= sizeof(primary.host) || reply->element[1]->len >= sizeof(primary.port)) {
        drop_connection(link, "it does not answer with host and port of the primary");
        return;
    }
    snprintf(primary.host, sizeof(primary.host), "%s", reply->element[0]->str);
    snprintf(primary.port, sizeof(primary.port), "%s", reply->element[1]->str);
    close_link_wire(link);
    link->seeking = false;
    link->at = primary;
    resolve(link);
}

static void on_primary(struct redis_wire *wire, const redisReply *reply, void *data) {
    struct redis_link *link = data;
    if (!is_greeted(link, wire, reply, "SENTINEL get-master-addr-by-name")) {
        return;
    }
    if (reply->type == REDIS_REPLY_ARRAY) {
        use_primary(link, reply);
    } else {
        char why[192];
        snprintf(why, sizeof(why), "it knows no primary '%s': correct the name in [redis] url", link->url.primary);
        drop_connection(link, why);
    }
}

static bool send_login(struct redis_link *link, struct redis_wire *wire, const char *user, const char *password) {
    if (user && *user) {
        return redis_wire_send(wire, on_auth, link, 3, (const char *[]){"AUTH", user, password}, NULL);
    }
    return !password || !*password || redis_wire_send(wire, on_auth, link, 2, (const char *[]){"AUTH", password}, NULL);
}

static bool ask_sentinel(struct redis_link *link, struct redis_wire *wire) {
    link->state = LINK_ASKING;
    return send_login(link, wire, link->options.sentinel_user, link->options.sentinel_password) &&
           redis_wire_send(wire, on_primary, link, 3,
                           (const char *[]){"SENTINEL", "get-master-addr-by-name", link->url.primary}, NULL);
}

/* All are sent together. An error reply to one ends the attempt; the last answer opens the link. */
static bool greet_redis(struct redis_link *link, struct redis_wire *wire) {
    const struct redis_url *url = &link->url;
    char database[16];
    link->state = LINK_GREETING;
    snprintf(database, sizeof(database), "%u", url->database);
    bool sent = send_login(link, wire, url->user, url->password);
    if (sent && url->database) {
        sent = redis_wire_send(wire, on_select, link, 2, (const char *[]){"SELECT", database}, NULL);
    }
    if (sent && url->primary[0]) {
        sent = redis_wire_send(wire, on_role, link, 1, (const char *[]){"ROLE"}, NULL);
    }
    return sent && redis_wire_send(wire, on_ping, link, 1, (const char *[]){"PING"}, NULL);
}

/* --- Attempts --- */

static void on_wire_open(struct redis_wire *wire, void *user) {
    struct redis_link *link = user;
    if (link->wire != wire) {
        return;
    }
    arm_link(link, link->state, link->options.timeout_ms);
    if (!(link->seeking ? ask_sentinel(link, wire) : greet_redis(link, wire)) && link->wire == wire) {
        drop_connection(link, "no memory for a greeting");
    }
}

static void on_wire_lost(struct redis_wire *wire, const char *why, void *user) {
    struct redis_link *link = user;
    if (link->wire == wire) {
        link->wire = NULL;
        lose(link, why);
    }
}

static void on_wire_push(struct redis_wire *wire, const redisReply *reply, void *user) {
    struct redis_link *link = user;
    if (link->wire == wire) {
        link->options.on_push(wire, reply, link->options.user);
    }
}

static void on_wire_freed(void *user) {
    unref(user);
}

/* Tries the next address of the look-up. */
static void begin_attempt(struct redis_link *link) {
    const struct redis_link_options *options = &link->options;
    const struct addrinfo *address = link->next_address;
    const char *why = NULL;
    const bool named = options->server_name && *options->server_name;
    link->next_address = address->ai_next;
    arm_link(link, LINK_CONNECTING, options->timeout_ms);
    link->wire = redis_wire_open(
        &(struct redis_wire_options){
            .loop = options->loop,
            .address = address,
            .tls = link->url.tls ? options->tls : NULL,
            .server_name = named ? options->server_name : link->at.host,
            .on_open = on_wire_open,
            .on_lost = on_wire_lost,
            .on_push = options->on_push ? on_wire_push : NULL,
            .on_freed = on_wire_freed,
            .user = link,
        },
        &why);
    if (link->wire) {
        link->users++;
    } else {
        lose(link, why);
    }
}

static void use_addresses(struct redis_link *link, struct addrinfo *addresses) {
    if (link->addresses) {
        uv_freeaddrinfo(link->addresses);
    }
    link->addresses = link->next_address = addresses;
    begin_attempt(link);
}

static void on_resolved(uv_getaddrinfo_t *lookup, int status, struct addrinfo *addresses) {
    struct redis_link *link = lookup->data;
    if (link->state != LINK_RESOLVING) {
        uv_freeaddrinfo(addresses);
    } else if (status != 0 || !addresses) {
        uv_freeaddrinfo(addresses);
        lose(link, status ? uv_strerror(status) : "the host has no address");
    } else {
        use_addresses(link, addresses);
    }
    unref(link);
}

/* Returns: NULL: the host is a name */
static struct addrinfo *read_address(const struct redis_host *at) {
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *address = NULL;
    return getaddrinfo(at->host, at->port, &hints, &address) == 0 ? address : NULL;
}

/* A name is looked up on libuv's thread pool, since that may block; an address needs none of its threads. */
static void resolve(struct redis_link *link) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *address = read_address(&link->at);
    arm_link(link, LINK_RESOLVING, link->options.timeout_ms);
    link->next_address = NULL;
    if (address) {
        use_addresses(link, address);
        return;
    }
    link->lookup.data = link;
    int status =
        uv_getaddrinfo(loop_uv(link->options.loop), &link->lookup, on_resolved, link->at.host, link->at.port, &hints);
    if (status == 0) {
        link->users++;
    } else {
        lose(link, uv_strerror(status));
    }
}

static void begin_round(struct redis_link *link) {
    link->seeking = link->url.primary[0] != '\0';
    link->asked = 0;
    link->at = link->url.hosts[link->seeking ? link->sentinel : 0];
    resolve(link);
}

static void on_link_timer(uv_timer_t *timer) {
    struct redis_link *link = timer->data;
    switch (link->state) {
    case LINK_WAITING:
        begin_round(link);
        break;
    case LINK_RESOLVING:
        /* The look-up cannot be cancelled; it ends by itself. */
        link->failing = true;
        tell_down(link, "the host's name is not resolved in time");
        break;
    case LINK_CONNECTING:
        drop_connection(link, "no connection in time");
        break;
    case LINK_ASKING:
    case LINK_GREETING:
        drop_connection(link, "no answer in time");
        break;
    case LINK_UP:
        beat(link);
        break;
    case LINK_CLOSED:
        break;
    }
}

/* --- Life --- */

static void on_link_timer_closed(uv_handle_t *handle) {
    unref(handle->data);
}

struct redis_link *redis_link_open(const struct redis_link_options *options) {
    struct redis_link *link = calloc(1, sizeof(*link));
    if (!link) {
        return NULL;
    }
    link->options = *options;
    link->url = *options->url;
    link->backoff = (struct herald_backoff){.min_ms = BACKOFF_MIN_MS, .max_ms = BACKOFF_MAX_MS};
    link->users = 2; /* owner and timer */
    uv_timer_init(loop_uv(options->loop), &link->timer);
    link->timer.data = link;
    arm_link(link, LINK_WAITING, 0);
    return link;
}

void redis_link_close(struct redis_link *link) {
    if (!link) {
        return;
    }
    link->state = LINK_CLOSED;
    close_link_wire(link);
    uv_close((uv_handle_t *)&link->timer, on_link_timer_closed);
    unref(link);
}

struct redis_wire *redis_link_wire(struct redis_link *link) {
    return link->state == LINK_UP ? link->wire : NULL;
}

bool redis_link_is_hopeful(const struct redis_link *link) {
    return link->state != LINK_UP && link->state != LINK_CLOSED && !link->failing;
}
