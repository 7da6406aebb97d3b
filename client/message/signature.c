#include "client/message/signature.h"

#include "client/base/ascii.h"
#include "client/base/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The longest line: a method's name, or a user and an idempotency key; all limited by the envelope's rules. */
#define LINES_BYTES 1024u
#define NONCE_MAX   32u

bool herald_signature_compute(const struct herald_signed_parts *parts, const uint8_t *key, size_t key_bytes,
                              uint8_t ret_mac[HERALD_SIGNATURE_BYTES]) {
    char nonce_hex[2 * NONCE_MAX + 1], hash_hex[2 * HERALD_SHA256_BYTES + 1], lines[LINES_BYTES];
    uint8_t hash[HERALD_SHA256_BYTES];
    if (parts->nonce_bytes > NONCE_MAX || key_bytes > INT32_MAX ||
        !herald_sha256(parts->payload, parts->payload_bytes, hash)) {
        return false;
    }
    herald_write_hex(parts->nonce, parts->nonce_bytes, nonce_hex);
    herald_write_hex(hash, sizeof(hash), hash_hex);
    int length =
        snprintf(lines, sizeof(lines), "HERALD-HMAC-SHA256\n%s\n%" PRId64 "\n%s\n%.*s\n%s\n%s\n%s\n", parts->key_id,
                 parts->time_ms, nonce_hex, (int)parts->method_bytes, parts->method, parts->user ? parts->user : "",
                 parts->idempotency_key ? parts->idempotency_key : "", hash_hex);
    const struct herald_piece signed_text = {lines, (size_t)length};
    return length > 0 && (size_t)length < sizeof(lines) && herald_hmac_sha256(key, key_bytes, &signed_text, 1, ret_mac);
}
