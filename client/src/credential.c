/* Credentials: keys that sign requests, and bearer tokens. A secret is wiped before its memory is freed. */
#include "client/src/credential.h"

#include "client/base/ascii.h"
#include "client/base/clock.h"
#include "client/base/random.h"
#include "client/message/wire.h"
#include "client/src/file.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define KEY_ID_MAX 64u
#define KEY_MAX    1024u
#define TOKEN_MAX  2048u

/* Numbers are those of proto/herald/rpc/v1/envelope.proto Request, Auth and Signature. */
#define REQUEST_AUTH 8
enum auth_field { AUTH_SIGNATURE = 1, AUTH_BEARER = 2 };
enum signature_field {
    SIGNATURE_KEY_ID = 1,
    SIGNATURE_TIME_MS = 2,
    SIGNATURE_NONCE = 3,
    SIGNATURE_USER = 4,
    SIGNATURE_MAC = 5,
};

struct herald_credential {
    atomic_uint shares;
    char key_id[KEY_ID_MAX + 1]; /* empty: bearer */
    uint8_t *secret;             /* the key, or the token */
    size_t secret_bytes;
};

bool herald_credential_can_sign(const char *text, size_t bytes, size_t most) {
    return bytes <= most && herald_is_graphic(text, bytes);
}

static enum herald_code make(const char *key_id, const void *secret, size_t secret_bytes,
                             struct herald_credential **ret_credential, struct herald_error *reterr) {
    struct herald_credential *credential = calloc(1, sizeof(*credential));
    if (credential) {
        credential->secret = malloc(secret_bytes);
    }
    if (!credential || !credential->secret) {
        free(credential);
        return herald_error_no_memory(reterr, "a credential");
    }
    atomic_init(&credential->shares, 1);
    strcpy(credential->key_id, key_id);
    memcpy(credential->secret, secret, secret_bytes);
    credential->secret_bytes = secret_bytes;
    *ret_credential = credential;
    return HERALD_OK;
}

enum herald_code herald_credential_hmac(const char *key_id, const uint8_t *key, size_t key_bytes,
                                        struct herald_credential **ret_credential, struct herald_error *reterr) {
    if (!key_id || !*key_id || !herald_credential_can_sign(key_id, strlen(key_id), KEY_ID_MAX)) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_KEY_ID,
                                "the key id must be 1 to %u characters of printable ASCII without spaces", KEY_ID_MAX);
    }
    if (!key || key_bytes < HERALD_CREDENTIAL_KEY_MIN || key_bytes > KEY_MAX) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_KEY,
                                "the key \"%s\" has %zu bytes; it needs %u to %u random ones", key_id,
                                key ? key_bytes : 0, HERALD_CREDENTIAL_KEY_MIN, KEY_MAX);
    }
    return make(key_id, key, key_bytes, ret_credential, reterr);
}

/* Decodes one line of base64; false if the text is no such line. */
static bool decode_line(char *text, uint8_t *ret_key, size_t *ret_bytes) {
    size_t length = strcspn(text, "\r\n");
    size_t padding = 0;
    if (text[length + strspn(text + length, "\r\n")] != '\0' || length == 0 || length % 4 != 0 ||
        length > KEY_MAX * 4 / 3) {
        return false;
    }
    while (padding < 2 && text[length - 1 - padding] == '=') {
        padding++;
    }
    int bytes = EVP_DecodeBlock(ret_key, (const unsigned char *)text, (int)length);
    if (bytes < (int)padding || memchr(text, '=', length - padding)) {
        return false;
    }
    *ret_bytes = (size_t)bytes - padding;
    return true;
}

enum herald_code herald_credential_hmac_file(const char *key_id, const char *path,
                                             struct herald_credential **ret_credential, struct herald_error *reterr) {
    char *text;
    uint8_t key[KEY_MAX + 3];
    size_t key_bytes;
    enum herald_code code = herald_file_read(path, "the key file", true, &text, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (decode_line(text, key, &key_bytes)) {
        code = herald_credential_hmac(key_id, key, key_bytes, ret_credential, reterr);
    } else {
        code = herald_error_set(reterr, HERALD_REASON_INVALID_KEY,
                                "the key file \"%s\" must hold one line of base64: openssl rand -base64 32", path);
    }
    OPENSSL_cleanse(key, sizeof(key));
    herald_secret_free(text);
    return code;
}

enum herald_code herald_credential_bearer(const char *token, struct herald_credential **ret_credential,
                                          struct herald_error *reterr) {
    if (!token || !*token || !herald_credential_can_sign(token, strlen(token), TOKEN_MAX)) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_TOKEN,
                                "the token must be 1 to %u characters of printable ASCII without spaces", TOKEN_MAX);
    }
    return make("", token, strlen(token), ret_credential, reterr);
}

struct herald_credential *herald_credential_ref(struct herald_credential *credential) {
    atomic_fetch_add_explicit(&credential->shares, 1, memory_order_relaxed);
    return credential;
}

void herald_credential_unref(struct herald_credential *credential) {
    if (!credential || atomic_fetch_sub_explicit(&credential->shares, 1, memory_order_acq_rel) != 1) {
        return;
    }
    OPENSSL_cleanse(credential->secret, credential->secret_bytes);
    free(credential->secret);
    free(credential);
}

bool herald_credential_signs(const struct herald_credential *credential) {
    return credential->key_id[0] != '\0';
}

/* Writes the heads of Request.auth and of @proof, for @bytes that follow. */
static uint8_t *put_heads(uint8_t *to, unsigned proof, size_t bytes) {
    to = wire_put_head(to, REQUEST_AUTH, 1 + wire_varint_bytes(bytes) + bytes);
    return wire_put_head(to, proof, bytes);
}

static bool write_signature(const struct herald_credential *credential, const struct herald_signed_parts *parts,
                            uint8_t *ret_field, size_t *ret_bytes) {
    uint8_t mac[HERALD_SIGNATURE_BYTES];
    if (!herald_signature_compute(parts, credential->secret, credential->secret_bytes, mac)) {
        return false;
    }
    size_t key_id_bytes = strlen(parts->key_id), user_bytes = strlen(parts->user);
    size_t bytes = wire_text_bytes(key_id_bytes) + 1 + wire_varint_bytes((uint64_t)parts->time_ms) +
                   wire_text_bytes(parts->nonce_bytes) + wire_text_bytes(user_bytes) + wire_text_bytes(sizeof(mac));
    uint8_t *to = put_heads(ret_field, AUTH_SIGNATURE, bytes);
    to = wire_put_text(to, SIGNATURE_KEY_ID, parts->key_id, key_id_bytes);
    *to++ = SIGNATURE_TIME_MS << 3 | WIRE_VARINT;
    to = wire_put_varint(to, (uint64_t)parts->time_ms);
    to = wire_put_text(to, SIGNATURE_NONCE, parts->nonce, parts->nonce_bytes);
    to = wire_put_text(to, SIGNATURE_USER, parts->user, user_bytes);
    to = wire_put_text(to, SIGNATURE_MAC, mac, sizeof(mac));
    *ret_bytes = (size_t)(to - ret_field);
    return true;
}

bool herald_credential_write(const struct herald_credential *credential, const struct herald_signed_parts *call,
                             uint8_t ret_field[HERALD_AUTH_MAX_BYTES], size_t *ret_bytes) {
    if (!herald_credential_signs(credential)) {
        uint8_t *to = put_heads(ret_field, AUTH_BEARER, credential->secret_bytes);
        memcpy(to, credential->secret, credential->secret_bytes);
        *ret_bytes = (size_t)(to - ret_field) + credential->secret_bytes;
        return true;
    }
    uint8_t nonce[HERALD_SIGNATURE_NONCE_BYTES];
    herald_random_bytes(nonce, sizeof(nonce));
    struct herald_signed_parts parts = *call;
    parts.key_id = credential->key_id;
    parts.time_ms = herald_wall_us() / 1000;
    parts.nonce = nonce;
    parts.nonce_bytes = sizeof(nonce);
    return write_signature(credential, &parts, ret_field, ret_bytes);
}
