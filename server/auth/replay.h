#ifndef HERALD_AUTH_REPLAY_H
#define HERALD_AUTH_REPLAY_H

#include <stddef.h>
#include <stdint.h>

/*
 * The nonces of signatures that were taken, so that none is taken twice. Only nonces of good signatures come here, so
 * nobody without a key can fill it. When it is full a call is refused: to forget one too early would let it be
 * replayed.
 *
 * Each nonce is kept as a digest of 16 bytes in one of two generations; the older is dropped as a whole when the
 * younger is keep_ms old. So a nonce is known for keep_ms at least and twice that at most. Any thread.
 */
struct replay;

enum replay_verdict { REPLAY_NEW, REPLAY_SEEN, REPLAY_FULL };

/** @nonce_max  most nonces known at once, from 16  @keep_ms  how long each is known at least. NULL without memory. */
struct replay *replay_new(size_t nonce_max, uint64_t keep_ms);
/** NULL is allowed. */
void replay_free(struct replay *replay);
/**
 * Takes a nonce, unless it was taken before.
 *
 * @key_id  whose nonce it is: those of different keys have nothing to do with each other
 * @now_ms  of a clock that never goes back
 */
enum replay_verdict replay_take(struct replay *replay, const char *key_id, const uint8_t *nonce, size_t nonce_bytes,
                                uint64_t now_ms);

#endif
