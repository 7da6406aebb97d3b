/*
 * Invariants: each visitor is in one of two lists, silent or answered, in the order in which it came there, the oldest
 * first. Its address is counted as long as it is in a list. A socket is shut down under the lock only, so it is never one
 * that was closed and given to somebody else.
 */
#include "server/content/visitors.h"

#include "server/runtime/call.h"
#include "server/runtime/hash.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 250 /* between two looks at who is slow */

struct address_count {
    struct in6_addr address; /* key */
    unsigned count;
    UT_hash_handle hh;
};

struct visitor {
    struct visitor *older, *newer;
    struct address_count *from;
    uint64_t since_us; /* in its list */
    int fd;
    bool asks;
    bool sent_away; /* its socket is shut down; it is in no list */
};

struct visitor_list {
    struct visitor *oldest, *newest;
};

struct visitors {
    struct visitors_options options;
    pthread_mutex_t lock;
    pthread_cond_t stop_wanted;
    pthread_t thread;
    bool stopping;
    struct visitor_list silent, answered;
    struct address_count *addresses;
    unsigned count; /* in the lists */
};

/* ---- lists ---- */

static struct visitor_list *list_of(struct visitors *visitors, const struct visitor *visitor) {
    return visitor->asks ? &visitors->answered : &visitors->silent;
}

static void list_remove(struct visitor_list *list, struct visitor *visitor) {
    *(visitor->older ? &visitor->older->newer : &list->oldest) = visitor->newer;
    *(visitor->newer ? &visitor->newer->older : &list->newest) = visitor->older;
    visitor->older = visitor->newer = NULL;
}

static void list_append(struct visitor_list *list, struct visitor *visitor) {
    visitor->since_us = clock_now_us();
    visitor->older = list->newest;
    *(list->newest ? &list->newest->newer : &list->oldest) = visitor;
    list->newest = visitor;
}

/* ---- addresses ---- */

static struct in6_addr key_of(const struct sockaddr *address) {
    struct in6_addr key = {0};
    if (address && address->sa_family == AF_INET6) {
        key = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        memset(key.s6_addr + 8, 0, 8); /* one subscriber has all of a /64 */
    } else if (address && address->sa_family == AF_INET) {
        key.s6_addr[10] = key.s6_addr[11] = 0xff;
        memcpy(key.s6_addr + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    }
    return key;
}

static struct address_count *count_address(struct visitors *visitors, const struct sockaddr *address) {
    struct in6_addr key = key_of(address);
    struct address_count *from;
    HASH_FIND(hh, visitors->addresses, &key, sizeof(key), from);
    if (!from) {
        from = calloc(1, sizeof(*from));
        if (!from) {
            return NULL;
        }
        from->address = key;
        HASH_ADD(hh, visitors->addresses, address, sizeof(from->address), from);
        if (!HASH_HAS_ADDED(hh, from)) {
            free(from);
            return NULL;
        }
    }
    from->count++;
    return from;
}

static void uncount_address(struct visitors *visitors, struct address_count *from) {
    if (--from->count == 0) {
        HASH_DEL(visitors->addresses, from);
        free(from);
    }
}

/* ---- who must go ---- */

/* Takes the visitor out of the lists and shuts its connection down. */
static void send_away_locked(struct visitors *visitors, struct visitor *visitor) {
    list_remove(list_of(visitors, visitor), visitor);
    uncount_address(visitors, visitor->from);
    visitors->count--;
    visitor->from = NULL;
    visitor->sent_away = true;
    (void)shutdown(visitor->fd, SHUT_RDWR);
}

static struct visitor *who_makes_way_locked(const struct visitors *visitors) {
    for (struct visitor *visitor = visitors->silent.oldest; visitor; visitor = visitor->newer) {
        if (visitor->from->count > visitors->options.share) {
            return visitor;
        }
    }
    struct visitor *answered = visitors->answered.oldest;
    if (visitors->silent.oldest != visitors->silent.newest || !answered) {
        return visitors->silent.oldest;
    }
    /* the newcomer alone is silent */
    uint64_t protected_us = visitors->options.protect_ms * UINT64_C(1000);
    return clock_now_us() - answered->since_us > protected_us ? answered : visitors->silent.oldest;
}

static void send_slow_away_locked(struct visitors *visitors, const struct visitor_list *list, uint32_t most_ms) {
    uint64_t now_us = clock_now_us();
    while (list->oldest && now_us - list->oldest->since_us > most_ms * UINT64_C(1000)) {
        send_away_locked(visitors, list->oldest);
    }
}

static void *look_for_slow(void *arg) {
    struct visitors *visitors = arg;
    pthread_mutex_lock(&visitors->lock);
    while (!visitors->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&visitors->stop_wanted, &visitors->lock, &until);
        send_slow_away_locked(visitors, &visitors->silent, visitors->options.silent_ms);
        send_slow_away_locked(visitors, &visitors->answered, visitors->options.answer_ms);
    }
    pthread_mutex_unlock(&visitors->lock);
    return NULL;
}

/* ---- interface ---- */

struct visitor *visitors_enter(struct visitors *visitors, int fd, const struct sockaddr *address) {
    struct visitor *visitor = calloc(1, sizeof(*visitor));
    pthread_mutex_lock(&visitors->lock);
    struct address_count *from = visitor ? count_address(visitors, address) : NULL;
    if (from) {
        visitor->fd = fd;
        visitor->from = from;
        list_append(&visitors->silent, visitor);
        if (++visitors->count > visitors->options.most) {
            send_away_locked(visitors, who_makes_way_locked(visitors));
        }
    }
    pthread_mutex_unlock(&visitors->lock);
    if (!from) {
        free(visitor);
        (void)shutdown(fd, SHUT_RDWR);
        return NULL;
    }
    return visitor;
}

void visitors_leave(struct visitors *visitors, struct visitor *visitor) {
    if (!visitor) {
        return;
    }
    pthread_mutex_lock(&visitors->lock);
    if (!visitor->sent_away) {
        list_remove(list_of(visitors, visitor), visitor);
        uncount_address(visitors, visitor->from);
        visitors->count--;
    }
    pthread_mutex_unlock(&visitors->lock);
    free(visitor);
}

void visitor_asks(struct visitors *visitors, struct visitor *visitor, bool asks) {
    if (!visitor) {
        return;
    }
    pthread_mutex_lock(&visitors->lock);
    if (!visitor->sent_away) {
        list_remove(list_of(visitors, visitor), visitor);
        visitor->asks = asks;
        list_append(list_of(visitors, visitor), visitor);
    }
    pthread_mutex_unlock(&visitors->lock);
}

struct visitors *visitors_new(const struct visitors_options *options) {
    struct visitors *visitors = calloc(1, sizeof(*visitors));
    if (!visitors) {
        return NULL;
    }
    visitors->options = *options;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&visitors->stop_wanted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&visitors->lock, NULL);
    if (pthread_create(&visitors->thread, NULL, look_for_slow, visitors) != 0) {
        pthread_cond_destroy(&visitors->stop_wanted);
        pthread_mutex_destroy(&visitors->lock);
        free(visitors);
        return NULL;
    }
    return visitors;
}

void visitors_free(struct visitors *visitors) {
    if (!visitors) {
        return;
    }
    pthread_mutex_lock(&visitors->lock);
    visitors->stopping = true;
    pthread_cond_signal(&visitors->stop_wanted);
    pthread_mutex_unlock(&visitors->lock);
    pthread_join(visitors->thread, NULL);
    pthread_cond_destroy(&visitors->stop_wanted);
    pthread_mutex_destroy(&visitors->lock);
    free(visitors);
}
