#include "client/base/random.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

/*
 * Each thread draws bytes from libcrypto for many numbers at once, because one draw costs more than the rest of making
 * an id. A child process must not repeat its parent's bytes: fork raises the generation, which empties every store.
 */
#define STORE_BYTES 1024u

struct random_store {
    unsigned char bytes[STORE_BYTES];
    size_t used;
    unsigned generation;
};

static _Thread_local struct random_store random_store;
static atomic_uint fork_generation = 1; /* a store that was never filled is at 0 */
static pthread_once_t fork_hook_once = PTHREAD_ONCE_INIT;

static void on_fork_child(void) {
    atomic_fetch_add(&fork_generation, 1);
}

static void install_fork_hook(void) {
    pthread_atfork(NULL, NULL, on_fork_child);
}

static void fill_store(struct random_store *store, unsigned generation) {
    pthread_once(&fork_hook_once, install_fork_hook);
    if (RAND_bytes(store->bytes, (int)sizeof(store->bytes)) != 1) {
        /* Only a broken OpenSSL configuration gets here; ids need to be unique, so ask the kernel. */
        size_t have = 0;
        while (have < sizeof(store->bytes)) {
            ssize_t got = getrandom(store->bytes + have, sizeof(store->bytes) - have, 0);
            if (got > 0) {
                have += (size_t)got;
            }
        }
    }
    store->used = 0;
    store->generation = generation;
}

void herald_random_bytes(unsigned char *ret_bytes, size_t bytes) {
    struct random_store *store = &random_store;
    unsigned generation = atomic_load_explicit(&fork_generation, memory_order_relaxed);
    if (store->generation != generation || store->used + bytes > sizeof(store->bytes)) {
        fill_store(store, generation);
    }
    memcpy(ret_bytes, store->bytes + store->used, bytes);
    store->used += bytes;
}

uint64_t herald_random(void) {
    uint64_t number;
    herald_random_bytes((unsigned char *)&number, sizeof(number));
    return number;
}
