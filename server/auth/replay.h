#ifndef HERALD_AUTH_REPLAY_H
#define HERALD_AUTH_REPLAY_H

/*
 * The nonces of accepted signatures, so that none is accepted twice. Only good signatures add a nonce, so nobody
 * without a key can fill the table. When it is full, calls are refused: a nonce that is dropped too early could be
 * replayed.
 *
 * Each nonce is kept as a digest of 16 bytes in one of two generations. The older generation is dropped as a whole when
 * the younger is keep_ms old. So a nonce is known for keep_ms at least and twice that at most. Any thread.
 */
#include <stddef.h>
#include <stdint.h>

struct replay;

enum replay_verdict { REPLAY_NEW, REPLAY_SEEN, REPLAY_FULL };

/**
 * Makes an empty table.
 *
 * @nonce_max  most nonces known at once, at least 16
 * @keep_ms    shortest time for which each is known
 * Returns: NULL without memory
 */
struct replay *replay_new(size_t nonce_max, uint64_t keep_ms);
/** NULL is allowed. */
void replay_free(struct replay *replay);
/**
 * Adds a nonce.
 *
 * @key_id  of the signature; nonces of different keys are independent
 * @now_ms  of a clock that never goes back
 * Returns: REPLAY_NEW: it was added | REPLAY_SEEN: it was added before | REPLAY_FULL: it is not added
 */
enum replay_verdict replay_take(struct replay *replay, const char *key_id, const uint8_t *nonce, size_t nonce_bytes,
                                uint64_t now_ms);

#endif
