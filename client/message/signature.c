#include "client/message/signature.h"

#include "client/base/ascii.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

/* The longest line: a method's name, or a user and an idempotency key; all limited by the envelope's rules. */
#define LINES_BYTES 1024u
#define NONCE_MAX   32u

bool herald_signature_compute(const struct herald_signed_parts *parts, const uint8_t *key, size_t key_bytes,
                              uint8_t ret_mac[HERALD_SIGNATURE_BYTES]) {
    char nonce_hex[2 * NONCE_MAX + 1], hash_hex[2 * SHA256_DIGEST_LENGTH + 1], lines[LINES_BYTES];
    uint8_t hash[SHA256_DIGEST_LENGTH];
    unsigned mac_bytes = 0;
    if (parts->nonce_bytes > NONCE_MAX || key_bytes > INT32_MAX) {
        return false;
    }
    if (!EVP_Digest(parts->payload_bytes ? parts->payload : (const uint8_t *)"", parts->payload_bytes, hash, NULL,
                    EVP_sha256(), NULL)) {
        return false;
    }
    herald_write_hex(parts->nonce, parts->nonce_bytes, nonce_hex);
    herald_write_hex(hash, sizeof(hash), hash_hex);
    int length =
        snprintf(lines, sizeof(lines), "HERALD-HMAC-SHA256\n%s\n%" PRId64 "\n%s\n%.*s\n%s\n%s\n%s\n", parts->key_id,
                 parts->time_ms, nonce_hex, (int)parts->method_bytes, parts->method, parts->user ? parts->user : "",
                 parts->idempotency_key ? parts->idempotency_key : "", hash_hex);
    return length > 0 && (size_t)length < sizeof(lines) &&
           HMAC(EVP_sha256(), key, (int)key_bytes, (const uint8_t *)lines, (size_t)length, ret_mac, &mac_bytes) != NULL;
}
