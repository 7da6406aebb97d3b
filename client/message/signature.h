#ifndef HERALD_MESSAGE_SIGNATURE_H
#define HERALD_MESSAGE_SIGNATURE_H

/*
 * The signature of a request: the client makes it and the server checks it. It covers this string, each line ended by
 * one '\n':
 *
 *   HERALD-HMAC-SHA256
 *   <key id>
 *   <time, decimal milliseconds>
 *   <nonce, lower-case hex>
 *   <full method name>
 *   <user, may be empty>
 *   <idempotency key, may be empty>
 *   <SHA-256 of the payload, lower-case hex>
 *
 * None of the parts can hold a newline: key id, user and idempotency key are printable ASCII without spaces, and a
 * method whose name could hold one is not served. Source: proto/WIRE.md, "Signatures".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HERALD_SIGNATURE_BYTES       32u
#define HERALD_SIGNATURE_NONCE_BYTES 16u /* of nonces made here; servers accept 16..32 */

struct herald_signed_parts {
    const char *key_id;
    int64_t time_ms;
    const uint8_t *nonce;
    size_t nonce_bytes;
    const char *method; /* need not be terminated */
    size_t method_bytes;
    const char *user;            /* NULL: empty */
    const char *idempotency_key; /* NULL: empty */
    const uint8_t *payload;
    size_t payload_bytes;
};

/** Computes the MAC. Returns: false: libcrypto failed (no memory). Any thread. */
bool herald_signature_compute(const struct herald_signed_parts *parts, const uint8_t *key, size_t key_bytes,
                              uint8_t ret_mac[HERALD_SIGNATURE_BYTES]);

#endif
