#include "herald/uuid.h"

#include "client/base/random.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/*
 * Random bytes are drawn for many ids at once, for each thread, because one draw costs more than all the rest of an
 * id. A child process must not repeat its parent's bytes: fork raises the generation, which empties every store.
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

static void write_uuid(const unsigned char bytes[16], char ret_uuid[37]) {
    static const char digits[] = "0123456789abcdef";
    char *to = ret_uuid;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *to++ = '-';
        }
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    *to = '\0';
}

void herald_uuid7(char ret_uuid[37]) {
    unsigned char bytes[16];
    herald_random_bytes(bytes + 6, 10);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    for (int i = 0; i < 6; i++) {
        bytes[i] = (unsigned char)(now_ms >> (8 * (5 - i)));
    }
    bytes[6] = (unsigned char)(0x70 | (bytes[6] & 0x0F));
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3F));
    write_uuid(bytes, ret_uuid);
}

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool herald_uuid_valid(const char *text, size_t text_bytes) {
    if (text_bytes != 36) {
        return false;
    }
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex(text[i])) {
            return false;
        }
    }
    return true;
}
