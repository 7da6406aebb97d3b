#include "server/auth/replay.h"

#include "client/base/digest.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS        16u
#define FIRST_BUCKETS 64u

struct digest {
    uint64_t words[2]; /* both 0: no digest */
};

/* Open addressing, at most half full; the number of buckets is a power of two. */
struct generation {
    struct digest *buckets;
    size_t bucket_count, used;
};

struct shard {
    pthread_mutex_t lock;
    struct generation young, old;
    uint64_t young_since_ms;
};

struct replay {
    size_t shard_max;
    uint64_t keep_ms;
    struct shard shards[SHARDS];
};

struct replay *replay_new(size_t nonce_max, uint64_t keep_ms) {
    struct replay *replay = calloc(1, sizeof(*replay));
    if (!replay) {
        return NULL;
    }
    replay->shard_max = nonce_max / SHARDS;
    replay->keep_ms = keep_ms;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&replay->shards[i].lock, NULL);
    }
    return replay;
}

void replay_free(struct replay *replay) {
    if (!replay) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        free(replay->shards[i].young.buckets);
        free(replay->shards[i].old.buckets);
        pthread_mutex_destroy(&replay->shards[i].lock);
    }
    free(replay);
}

static bool is_empty(const struct digest *digest) {
    return digest->words[0] == 0 && digest->words[1] == 0;
}

/* The bucket with the digest, or the empty one for it. The table is at most half full, so there is one. */
static struct digest *find_bucket(const struct generation *generation, const struct digest *digest) {
    size_t mask = generation->bucket_count - 1;
    for (size_t i = (size_t)digest->words[1];; i++) {
        struct digest *bucket = &generation->buckets[i & mask];
        if (is_empty(bucket) || memcmp(bucket, digest, sizeof(*digest)) == 0) {
            return bucket;
        }
    }
}

static bool holds(const struct generation *generation, const struct digest *digest) {
    return generation->used > 0 && !is_empty(find_bucket(generation, digest));
}

static bool grow_generation(struct generation *generation) {
    struct generation bigger = {.bucket_count =
                                    generation->bucket_count ? 2 * generation->bucket_count : FIRST_BUCKETS};
    bigger.buckets = calloc(bigger.bucket_count, sizeof(*bigger.buckets));
    if (!bigger.buckets) {
        return false;
    }
    for (size_t i = 0; i < generation->bucket_count; i++) {
        if (!is_empty(&generation->buckets[i])) {
            *find_bucket(&bigger, &generation->buckets[i]) = generation->buckets[i];
        }
    }
    bigger.used = generation->used;
    free(generation->buckets);
    *generation = bigger;
    return true;
}

static void drop_generation(struct generation *generation) {
    free(generation->buckets);
    *generation = (struct generation){0};
}

static void age(struct shard *shard, uint64_t keep_ms, uint64_t now_ms) {
    if (now_ms < shard->young_since_ms + keep_ms) {
        return;
    }
    drop_generation(&shard->old);
    if (now_ms < shard->young_since_ms + 2 * keep_ms) {
        shard->old = shard->young;
    } else {
        free(shard->young.buckets);
    }
    shard->young = (struct generation){0};
    shard->young_since_ms = now_ms;
}

static enum replay_verdict take_locked(const struct replay *replay, struct shard *shard, const struct digest *digest,
                                       uint64_t now_ms) {
    age(shard, replay->keep_ms, now_ms);
    if (holds(&shard->young, digest) || holds(&shard->old, digest)) {
        return REPLAY_SEEN;
    }
    if (shard->young.used + shard->old.used >= replay->shard_max) {
        return REPLAY_FULL;
    }
    if (2 * shard->young.used >= shard->young.bucket_count && !grow_generation(&shard->young)) {
        return REPLAY_FULL;
    }
    *find_bucket(&shard->young, digest) = *digest;
    shard->young.used++;
    return REPLAY_NEW;
}

static bool make_digest(const char *key_id, const uint8_t *nonce, size_t nonce_bytes, struct digest *ret_digest) {
    uint8_t hash[HERALD_SHA256_BYTES], text[256];
    size_t id_bytes = strlen(key_id) + 1; /* the terminator separates id and nonce */
    if (id_bytes + nonce_bytes > sizeof(text)) {
        return false;
    }
    memcpy(text, key_id, id_bytes);
    memcpy(text + id_bytes, nonce, nonce_bytes);
    if (!herald_sha256(text, id_bytes + nonce_bytes, hash)) {
        return false;
    }
    memcpy(ret_digest, hash, sizeof(*ret_digest));
    if (is_empty(ret_digest)) {
        ret_digest->words[0] = 1;
    }
    return true;
}

enum replay_verdict replay_take(struct replay *replay, const char *key_id, const uint8_t *nonce, size_t nonce_bytes,
                                uint64_t now_ms) {
    struct digest digest;
    if (!make_digest(key_id, nonce, nonce_bytes, &digest)) {
        return REPLAY_FULL;
    }
    struct shard *shard = &replay->shards[digest.words[0] % SHARDS];
    pthread_mutex_lock(&shard->lock);
    enum replay_verdict verdict = take_locked(replay, shard, &digest, now_ms);
    pthread_mutex_unlock(&shard->lock);
    return verdict;
}
