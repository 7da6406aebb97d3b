#include "server/transport/unread.h"

#include "server/runtime/call.h"

#include <stdlib.h>

/* A reply counts as unread after this long in sending; a younger one may only be waiting for a processor. */
#define UNREAD_AFTER_US 50000u
/* Unread replies that hold less than this part of exchanges or memory are left alone. */
#define BLAME_PART 8u
/* The weight of an exchange beside its reply's bytes. */
#define EXCHANGE_BYTES 1024u

bool unread_is_pressing(struct exchange_pool *pool) {
    return pool->engine->is_short(pool) || pool->ops->is_full(pool->user) ||
           atomic_load(&pool->unsent_bytes) > EXCHANGE_UNSENT_ENOUGH_BYTES;
}

static int compare_ids(const void *a, const void *b) {
    const struct unread_share *one = a, *other = b;
    return (one->pipe_id > other->pipe_id) - (one->pipe_id < other->pipe_id);
}

/* Adds up the shares of each connection; returns how many connections there are. */
static size_t sum_up(struct unread_share *shares, size_t count) {
    size_t used = 0;
    qsort(shares, count, sizeof(*shares), compare_ids);
    for (size_t i = 0; i < count; i++) {
        if (used > 0 && shares[used - 1].pipe_id == shares[i].pipe_id) {
            shares[used - 1].weight += shares[i].weight;
        } else {
            shares[used++] = shares[i];
        }
    }
    return used;
}

size_t unread_choose(struct unread_share *shares, size_t count) {
    size_t used = sum_up(shares, count), kept = 0, most = 0;
    for (size_t i = 0; i < used; i++) {
        if (shares[i].weight > most) {
            most = shares[i].weight;
        }
    }
    for (size_t i = 0; i < used; i++) {
        if (shares[i].weight >= most - most / 2) {
            shares[kept++] = shares[i];
        }
    }
    return kept;
}

static bool is_unread(struct exchange *exchange, uint64_t now_us) {
    return atomic_load(&exchange->state) == EXCHANGE_SENDING &&
           now_us >= atomic_load(&exchange->sending_since_us) + UNREAD_AFTER_US;
}

static size_t list_unread(struct exchange_pool *pool, uint64_t now_us, struct unread_share *ret_shares, size_t room) {
    size_t count = 0;
    pthread_mutex_lock(&pool->lock);
    for (struct exchange *exchange = pool->all; exchange && count < room; exchange = exchange->next) {
        if (is_unread(exchange, now_us)) {
            ret_shares[count++] = (struct unread_share){atomic_load(&exchange->sending_to),
                                                        atomic_load(&exchange->sending_bytes) + EXCHANGE_BYTES};
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return count;
}

static bool is_among_shares(const struct unread_share *shares, size_t count, uint32_t pipe_id) {
    return bsearch(&(struct unread_share){.pipe_id = pipe_id}, shares, count, sizeof(*shares), compare_ids) != NULL;
}

/* Cancels the sends, so that the exchanges are free again. */
static void cancel_sends(struct exchange_pool *pool, uint64_t now_us, const struct unread_share *shares, size_t count) {
    pthread_mutex_lock(&pool->lock);
    for (struct exchange *exchange = pool->all; exchange; exchange = exchange->next) {
        if (is_unread(exchange, now_us) && is_among_shares(shares, count, atomic_load(&exchange->sending_to))) {
            pool->engine->cancel_send(exchange);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

bool unread_is_much(const struct unread_share *shares, size_t count, unsigned exchanges) {
    size_t weight = 0;
    for (size_t i = 0; i < count; i++) {
        weight += shares[i].weight;
    }
    return count > 0 && (count >= exchanges / BLAME_PART || weight >= EXCHANGE_UNSENT_ENOUGH_BYTES / BLAME_PART);
}

/* Closes the connections first: their further requests would take the exchanges that are freed here. */
static void close_unread(struct exchange_pool *pool, uint64_t now_us, const struct unread_share *shares, size_t count) {
    for (size_t i = 0; i < count; i++) {
        pool->engine->close_peer(pool, shares[i].pipe_id, true);
    }
    if (pool->engine->cancel_send) {
        cancel_sends(pool, now_us, shares, count);
    }
}

size_t unread_drop(struct exchange_pool *pool, uint64_t now_us) {
    size_t room = pool->limit;
    struct unread_share *shares = malloc(room * sizeof(*shares));
    if (!shares) {
        return 0;
    }
    size_t count = list_unread(pool, now_us, shares, room);
    count = unread_is_much(shares, count, pool->limit) ? unread_choose(shares, count) : 0;
    if (count > 0) {
        close_unread(pool, now_us, shares, count);
    }
    free(shares);
    return count;
}
