#include "server/gateway/addresses.h"

#include "server/gateway/span.h"
#include "server/runtime/hash.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define KEY_BYTES 16
/* Of an IPv6 address, those that count. */
#define NETWORK_BYTES 8

struct address {
    unsigned char key[KEY_BYTES]; /* IPv4 as ::ffff:a.b.c.d */
    atomic_uint count;
    bool is_trusted; /* stays in the table without connections */
    UT_hash_handle hh;
};

struct addresses {
    pthread_mutex_t lock; /* of the table */
    struct address *table;
};

static bool is_mapped_v4(const unsigned char key[KEY_BYTES]) {
    static const unsigned char PREFIX[12] = {[10] = 0xFF, [11] = 0xFF};
    return memcmp(key, PREFIX, sizeof(PREFIX)) == 0;
}

static void v4_key(const struct in_addr *address, unsigned char ret_key[KEY_BYTES]) {
    memset(ret_key, 0, KEY_BYTES);
    ret_key[10] = ret_key[11] = 0xFF;
    memcpy(ret_key + 12, address, 4);
}

static void address_key(const struct sockaddr *address, unsigned char ret_key[KEY_BYTES]) {
    if (address->sa_family == AF_INET) {
        v4_key(&((const struct sockaddr_in *)(const void *)address)->sin_addr, ret_key);
        return;
    }
    memcpy(ret_key, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, KEY_BYTES);
    if (!is_mapped_v4(ret_key)) {
        memset(ret_key + NETWORK_BYTES, 0, KEY_BYTES - NETWORK_BYTES);
    }
}

static struct address *add_address_locked(struct addresses *addresses, const unsigned char key[KEY_BYTES]) {
    struct address *address = NULL;
    HASH_FIND(hh, addresses->table, key, KEY_BYTES, address);
    if (address == NULL && (address = calloc(1, sizeof(*address))) != NULL) {
        memcpy(address->key, key, KEY_BYTES);
        HASH_ADD(hh, addresses->table, key, KEY_BYTES, address);
        if (!HASH_HAS_ADDED(hh, address)) {
            free(address);
            address = NULL;
        }
    }
    return address;
}

static bool trust(struct addresses *addresses, struct span text) {
    char name[INET6_ADDRSTRLEN];
    unsigned char key[KEY_BYTES];
    struct in_addr v4;
    if (text.bytes >= sizeof(name)) {
        return false;
    }
    memcpy(name, text.at, text.bytes);
    name[text.bytes] = '\0';
    if (inet_pton(AF_INET, name, &v4) == 1) {
        v4_key(&v4, key);
    } else {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
        if (inet_pton(AF_INET6, name, &v6.sin6_addr) != 1) {
            return false;
        }
        address_key((const struct sockaddr *)(const void *)&v6, key);
    }
    struct address *address = add_address_locked(addresses, key);
    if (address != NULL) {
        address->is_trusted = true;
    }
    return address != NULL;
}

struct addresses *addresses_new(const char *trusted) {
    struct addresses *addresses = calloc(1, sizeof(*addresses));
    struct span rest = span_of(trusted), part;
    if (addresses == NULL) {
        return NULL;
    }
    pthread_mutex_init(&addresses->lock, NULL);
    while (span_next(&rest, ',', &part)) {
        part = span_trim(part);
        if (part.bytes > 0 && !trust(addresses, part)) {
            addresses_free(addresses);
            return NULL;
        }
    }
    return addresses;
}

void addresses_free(struct addresses *addresses) {
    if (addresses == NULL) {
        return;
    }
    struct address *address = addresses->table, *next;
    HASH_CLEAR(hh, addresses->table); /* leaves the items linked by hh.next */
    for (; address != NULL; address = next) {
        next = address->hh.next;
        free(address);
    }
    pthread_mutex_destroy(&addresses->lock);
    free(addresses);
}

struct address *addresses_enter(struct addresses *addresses, const struct sockaddr *address) {
    unsigned char key[KEY_BYTES];
    address_key(address, key);
    pthread_mutex_lock(&addresses->lock);
    struct address *entry = add_address_locked(addresses, key);
    if (entry != NULL) {
        atomic_fetch_add(&entry->count, 1);
    }
    pthread_mutex_unlock(&addresses->lock);
    return entry;
}

void addresses_leave(struct addresses *addresses, struct address *address) {
    pthread_mutex_lock(&addresses->lock);
    if (atomic_fetch_sub(&address->count, 1) == 1 && !address->is_trusted) {
        HASH_DEL(addresses->table, address);
        free(address);
    }
    pthread_mutex_unlock(&addresses->lock);
}

unsigned address_count(const struct address *address) {
    return atomic_load(&address->count);
}

bool address_is_trusted(const struct address *address) {
    return address->is_trusted;
}
