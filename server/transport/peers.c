#include "server/transport/peers.h"

#include "server/runtime/call.h"
#include "server/runtime/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#define REFUSALS_LOGGED_EVERY_US 1000000u
/* How long a connection must be silent before it may be evicted: before its first request, and between two requests. */
#define STRANGER_SILENT_US 2000000u
#define IDLE_SILENT_US     10000000u
/* An extra connection stays open for REFUSED_SILENT_US after its last refusal, so that the client can read it. One that
 * keeps sending requests is closed after EXTRA_STAY_US. */
#define REFUSED_SILENT_US 200000u
#define EXTRA_STAY_US     5000000u
/* Extra connections: limit / EXTRA_PART + EXTRA_LEAST, and EXTRA_MOST at most. */
#define EXTRA_PART  8u
#define EXTRA_LEAST 16u
#define EXTRA_MOST  1024u

struct peer {
    uint32_t id;
    enum { PEER_IN, PEER_EXTRA, PEER_LEAVING } state; /* extra: beyond the limit; leaving: being closed, not counted */
    bool known;                                       /* a request of it was served */
    bool asked;                                       /* a request of it was refused */
    uint64_t asked_us;                                /* when the last one was refused */
    uint64_t since_us;                                /* of an extra connection: when it was accepted */
    uint64_t silent_since_us;
    struct peer *prev, *next; /* in strangers or idle, while without calls in flight */
    unsigned in_flight;
    unsigned waiting;        /* of these, calls that wait on purpose */
    struct peer_call *calls; /* in flight */
    UT_hash_handle hh;
};

void peers_init(struct peers *peers, peer_cancel_fn *on_cancel) {
    *peers = (struct peers){.on_cancel = on_cancel};
    pthread_mutex_init(&peers->lock, NULL);
}

void peers_fini(struct peers *peers) {
    struct peer *peer = peers->table, *next;
    HASH_CLEAR(hh, peers->table); /* leaves the items linked by hh.next */
    for (; peer; peer = next) {
        next = peer->hh.next;
        free(peer);
    }
    pthread_mutex_destroy(&peers->lock);
}

void peers_close(struct peers *peers) {
    pthread_mutex_lock(&peers->lock);
    peers->closing = true;
    pthread_mutex_unlock(&peers->lock);
}

static struct peer *find_peer_locked(struct peers *peers, uint32_t id) {
    struct peer *peer;
    HASH_FIND(hh, peers->table, &id, sizeof(id), peer);
    return peer;
}

/* ---- connections ---- */

static void list_peer_locked(struct peers *peers, struct peer *peer, uint64_t now_us) {
    peer->silent_since_us = now_us;
    if (peer->known) {
        DL_APPEND(peers->idle, peer);
    } else {
        DL_APPEND(peers->strangers, peer);
    }
}

static void unlist_peer_locked(struct peers *peers, struct peer *peer) {
    if (peer->known) {
        DL_DELETE(peers->idle, peer);
    } else {
        DL_DELETE(peers->strangers, peer);
    }
}

static bool is_listed(const struct peer *peer) {
    return peer->state == PEER_IN && peer->in_flight == 0;
}

static void enter_peer_locked(struct peers *peers, struct peer *peer, uint64_t now_us) {
    peer->state = PEER_IN;
    peers->count++;
    list_peer_locked(peers, peer, now_us);
}

/* Evicts the connection that has been silent the longest, if that is long enough. Returns its id; 0: none. */
static uint32_t evict_locked(struct peers *peers, uint64_t now_us) {
    struct peer *peer = peers->strangers;
    if (!peer || now_us < peer->silent_since_us + STRANGER_SILENT_US) {
        peer = peers->idle;
    }
    if (!peer || now_us < peer->silent_since_us + (peer->known ? IDLE_SILENT_US : STRANGER_SILENT_US)) {
        return 0;
    }
    unlist_peer_locked(peers, peer);
    peer->state = PEER_LEAVING;
    peers->count--;
    return peer->id;
}

/* True when there is room for one more connection, after evicting one if need be. */
static bool make_room_locked(struct peers *peers, unsigned limit, uint64_t now_us, uint32_t *ret_evicted) {
    *ret_evicted = peers->count >= limit ? evict_locked(peers, now_us) : 0;
    return peers->count < limit;
}

unsigned peers_extra_limit(unsigned limit) {
    unsigned count = limit / EXTRA_PART + EXTRA_LEAST;
    return count < EXTRA_MOST ? count : EXTRA_MOST;
}

static void place_new_locked(struct peers *peers, struct peer *peer, unsigned limit, uint64_t now_us,
                             uint32_t *ret_evicted) {
    if (make_room_locked(peers, limit, now_us, ret_evicted)) {
        enter_peer_locked(peers, peer, now_us);
    } else if (atomic_load(&peers->extra_count) < peers_extra_limit(limit)) {
        peer->state = PEER_EXTRA;
        peer->since_us = now_us;
        atomic_fetch_add(&peers->extra_count, 1);
    } else {
        peer->state = PEER_LEAVING;
    }
}

enum peers_place peers_add(struct peers *peers, uint32_t id, unsigned limit, uint64_t now_us, uint32_t *ret_evicted) {
    static const enum peers_place PLACES[] = {
        [PEER_IN] = PEERS_TAKEN, [PEER_EXTRA] = PEERS_EXTRA, [PEER_LEAVING] = PEERS_TURNED_AWAY};
    struct peer *peer = calloc(1, sizeof(*peer));
    *ret_evicted = 0;
    if (!peer) {
        return PEERS_TURNED_AWAY;
    }
    peer->id = id;
    pthread_mutex_lock(&peers->lock);
    HASH_ADD(hh, peers->table, id, sizeof(peer->id), peer);
    if (!HASH_HAS_ADDED(hh, peer)) {
        pthread_mutex_unlock(&peers->lock);
        free(peer);
        return PEERS_TURNED_AWAY;
    }
    place_new_locked(peers, peer, limit, now_us, ret_evicted);
    enum peers_place place = PLACES[peer->state];
    pthread_mutex_unlock(&peers->lock);
    return place;
}

static bool place_extra_locked(struct peers *peers, struct peer *peer, unsigned limit, uint64_t now_us,
                               uint32_t *ret_evicted) {
    if (!make_room_locked(peers, limit, now_us, ret_evicted)) {
        return false;
    }
    atomic_fetch_sub(&peers->extra_count, 1);
    enter_peer_locked(peers, peer, now_us);
    return true;
}

enum peers_answer peers_ask(struct peers *peers, uint32_t id, unsigned limit, uint64_t now_us, uint32_t *ret_evicted) {
    enum peers_answer answer = PEERS_SERVE;
    *ret_evicted = 0;
    if (atomic_load(&peers->extra_count) == 0) {
        return PEERS_SERVE;
    }
    pthread_mutex_lock(&peers->lock);
    struct peer *peer = find_peer_locked(peers, id);
    if (peer && peer->state != PEER_IN &&
        (peer->state == PEER_LEAVING || !place_extra_locked(peers, peer, limit, now_us, ret_evicted))) {
        answer = PEERS_REFUSE;
    }
    if (peer && answer != PEERS_SERVE) {
        peer->asked = true;
        peer->asked_us = now_us;
    }
    pthread_mutex_unlock(&peers->lock);
    return answer;
}

static bool is_extra_due(const struct peer *peer, uint64_t now_us) {
    if (!peer->asked) {
        return now_us >= peer->since_us + STRANGER_SILENT_US;
    }
    return now_us >= peer->asked_us + REFUSED_SILENT_US || now_us >= peer->since_us + EXTRA_STAY_US;
}

size_t peers_take_due(struct peers *peers, uint64_t now_us, uint32_t *ret_ids, size_t most) {
    size_t count = 0;
    pthread_mutex_lock(&peers->lock);
    for (struct peer *peer = peers->table; peer && count < most; peer = peer->hh.next) {
        if (peer->state != PEER_EXTRA || !is_extra_due(peer, now_us)) {
            continue;
        }
        atomic_fetch_sub(&peers->extra_count, 1);
        peer->state = PEER_LEAVING;
        ret_ids[count++] = peer->id;
    }
    pthread_mutex_unlock(&peers->lock);
    return count;
}

void peers_touch(struct peers *peers, uint32_t id, uint64_t now_us) {
    pthread_mutex_lock(&peers->lock);
    struct peer *peer = find_peer_locked(peers, id);
    if (peer && is_listed(peer)) {
        unlist_peer_locked(peers, peer);
        peer->known = true;
        list_peer_locked(peers, peer, now_us);
    }
    pthread_mutex_unlock(&peers->lock);
}

static void cancel_locked(struct peers *peers, struct peer_call *call, enum herald_code code) {
    if (peers->closing || atomic_load(&call->cancel) != CANCEL_NONE) {
        return;
    }
    atomic_store(&call->cancel, CANCEL_QUEUED);
    peers->on_cancel(call, code);
}

void peers_remove(struct peers *peers, uint32_t id) {
    struct peer_call *call, *next;
    pthread_mutex_lock(&peers->lock);
    struct peer *peer = find_peer_locked(peers, id);
    if (peer) {
        HASH_DEL(peers->table, peer);
        if (is_listed(peer)) {
            unlist_peer_locked(peers, peer);
        }
        if (peer->state == PEER_IN) {
            peers->count--;
        } else if (peer->state == PEER_EXTRA) {
            atomic_fetch_sub(&peers->extra_count, 1);
        }
        DL_FOREACH_SAFE (peer->calls, call, next) {
            call->peer = NULL;
            cancel_locked(peers, call, HERALD_CANCELLED);
        }
    }
    pthread_mutex_unlock(&peers->lock);
    free(peer);
}

bool peers_note_refusal(struct peers *peers, uint64_t now_us, unsigned long *ret_count) {
    pthread_mutex_lock(&peers->lock);
    *ret_count = ++peers->refused_count;
    bool due = peers->refused_log_us == 0 || now_us - peers->refused_log_us >= REFUSALS_LOGGED_EVERY_US;
    if (due) {
        peers->refused_log_us = now_us;
    }
    pthread_mutex_unlock(&peers->lock);
    return due;
}

/* ---- their calls ---- */

enum peers_join peers_join(struct peers *peers, struct peer_call *call, uint32_t id, uint64_t ticket,
                           const struct peers_limits *limits) {
    enum peers_join joined = PEERS_JOINED;
    assert(!call->peer);
    atomic_store_explicit(&call->cancel, CANCEL_NONE, memory_order_relaxed);
    pthread_mutex_lock(&peers->lock);
    struct peer *peer = find_peer_locked(peers, id);
    if (!peer) {
        joined = PEERS_GONE;
        atomic_store_explicit(&call->cancel, CANCEL_HANDLED, memory_order_relaxed);
    } else if (limits->calls != 0 && peer->in_flight >= limits->calls) {
        joined = PEERS_FULL;
    } else if (limits->waiting != 0 && peer->waiting >= limits->waiting) {
        joined = PEERS_WAITING_FULL;
    } else {
        if (is_listed(peer)) {
            unlist_peer_locked(peers, peer);
        }
        peer->known = true;
        peer->in_flight++;
        call->waiting = limits->waiting != 0;
        peer->waiting += call->waiting;
        call->peer = peer;
        call->ticket = ticket;
        DL_APPEND(peer->calls, call);
    }
    pthread_mutex_unlock(&peers->lock);
    return joined;
}

bool peers_leave(struct peers *peers, struct peer_call *call) {
    pthread_mutex_lock(&peers->lock);
    struct peer *peer = call->peer;
    if (peer) {
        DL_DELETE(peer->calls, call);
        peer->in_flight--;
        peer->waiting -= call->waiting;
        call->peer = NULL;
        if (is_listed(peer)) {
            list_peer_locked(peers, peer, clock_now_us());
        }
    }
    bool queued = atomic_load_explicit(&call->cancel, memory_order_relaxed) == CANCEL_QUEUED;
    pthread_mutex_unlock(&peers->lock);
    return queued;
}

bool peers_cancel(struct peers *peers, uint32_t id, uint64_t ticket, enum herald_code code) {
    struct peer_call *call = NULL;
    if (ticket == 0) {
        return false;
    }
    pthread_mutex_lock(&peers->lock);
    struct peer *peer = find_peer_locked(peers, id);
    if (peer) {
        DL_SEARCH_SCALAR(peer->calls, call, ticket, ticket);
    }
    if (call) {
        cancel_locked(peers, call, code);
    }
    pthread_mutex_unlock(&peers->lock);
    return call != NULL;
}

unsigned peers_in_flight(struct peers *peers, const struct peer_call *call) {
    pthread_mutex_lock(&peers->lock);
    unsigned count = call->peer ? call->peer->in_flight : 0;
    pthread_mutex_unlock(&peers->lock);
    return count;
}
