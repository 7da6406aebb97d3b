#ifndef HERALD_BASE_DIGEST_H
#define HERALD_BASE_DIGEST_H

/*
 * SHA-256 and HMAC-SHA256 of short texts. A one-shot call of libcrypto looks its algorithm up each time, HMAC() three
 * times, and that costs more than the text; here they are looked up once. Any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HERALD_SHA256_BYTES 32u

/** A part of what is signed; @data may be NULL where @bytes is 0. */
struct herald_piece {
    const void *data;
    size_t bytes;
};

/** Makes the digest of @bytes of @data, which may be NULL where there are none. Returns: false: no memory. */
bool herald_sha256(const void *data, size_t bytes, uint8_t ret_hash[HERALD_SHA256_BYTES]);
/** Makes the code of @count pieces, one after the other. @key  not NULL  Returns: false: no memory. */
bool herald_hmac_sha256(const void *key, size_t key_bytes, const struct herald_piece *pieces, size_t count,
                        uint8_t ret_mac[HERALD_SHA256_BYTES]);

#endif
