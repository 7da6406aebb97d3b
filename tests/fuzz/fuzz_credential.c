#include "herald/rpc/v1/envelope.pb-c.h"
#include "herald/unpack.h"
#include "server/auth/callers.h"
#include "server/auth/token.h"
#include "server/programs/settings.h"
#include "server/rpc/auth.h"
#include "tests/fuzz/fuzz.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Credentials. The first byte chooses: a token as it came; the two JSON texts of a token, one on the first line, which
 * are then signed with a good key; the envelope's Auth, packed. Nobody but the second has the key.
 */

#define METHOD "herald.event.v1.EventService/GetEvent"
#define NOW_S  INT64_C(1700000000)

#define KEY_BYTES 32
#define PART_MAX  1400
static const char CALLERS[] = "[caller shop-web]\n"
                              "key.k1 = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
                              "methods = herald.event.v1.EventService/*\n"
                              "act_for = any\n";

static struct callers *callers;
static struct auth *auth;
static const struct herald_message_schema *auth_schema;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static struct settings settings;
    struct herald_error error;
    (void)argc;
    (void)argv;
    const char *path = fuzz_file((const uint8_t *)CALLERS, sizeof(CALLERS) - 1);
    fuzz_require(callers_load(path, &callers, &error) == HERALD_OK, "the callers are good");
    fuzz_require(settings_load(&settings, NULL, &error) == HERALD_OK, "the default settings are good");
    free(settings.auth_callers_file);
    settings.auth_callers_file = strdup(path);
    fuzz_require(auth_new(&settings.auth, &auth, &error) == HERALD_OK, "there is an interceptor");
    auth_begin(auth, 0);
    auth_schema = herald_schema_find_message("herald.rpc.v1.Auth");
    return 0;
}

static enum herald_code check_token(const char *token) {
    struct herald_error error;
    struct token_grant grant;
    enum herald_code code = token_check(callers, token, METHOD, "herald", NOW_S, &grant, &error);
    if (code != HERALD_OK) {
        fuzz_require(code == HERALD_UNAUTHENTICATED && error.message[0], "a refusal says why");
        return code;
    }
    fuzz_require(grant.caller && strcmp(caller_name(grant.caller), "shop-web") == 0, "a token is its key's caller's");
    fuzz_require(!grant.user[0] || caller_is_token(grant.user, CALLER_TEXT_BYTES - 1), "a user is a name");
    return code;
}

/* Base64 for URLs, without padding. */
static size_t encode(const void *data, size_t bytes, char *to) {
    size_t count = (size_t)EVP_EncodeBlock((unsigned char *)to, data, (int)bytes);
    for (char *at = to; *at; at++) {
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    }
    while (count > 0 && to[count - 1] == '=') {
        to[--count] = '\0';
    }
    return count;
}

/* Whom it names matters to places alone: no caller of this file is a server or an operator. */
static void check_named(const uint8_t *data, size_t bytes) {
    fuzz_require(!auth_names_kept_caller(auth, data, bytes), "a client's key has no kept place");
}

static void check_signed(const uint8_t *data, size_t bytes) {
    static char token[3 * PART_MAX * 2];
    unsigned char key[KEY_BYTES], mac[EVP_MAX_MD_SIZE];
    unsigned mac_bytes = 0;
    const uint8_t *line_end = bytes > 0 ? memchr(data, '\n', bytes) : NULL;
    if (!line_end || bytes > PART_MAX) {
        return;
    }
    for (int i = 0; i < KEY_BYTES; i++) {
        key[i] = (unsigned char)i;
    }
    size_t used = encode(data, (size_t)(line_end - data), token);
    token[used++] = '.';
    used += encode(line_end + 1, (size_t)(data + bytes - line_end - 1), token + used);
    HMAC(EVP_sha256(), key, KEY_BYTES, (unsigned char *)token, used, mac, &mac_bytes);
    token[used++] = '.';
    encode(mac, mac_bytes, token + used);
    (void)check_token(token);
}

static void check_envelope_auth(const uint8_t *data, size_t bytes) {
    struct herald_error error;
    struct auth_identity identity;
    ProtobufCMessage *message = NULL;
    if (herald_unpack(auth_schema, NULL, data, bytes, &message, &error) != HERALD_OK) {
        return;
    }
    const Herald__Rpc__V1__Auth *proof = (const Herald__Rpc__V1__Auth *)message;
    const struct rpc_call_head head = {.method = METHOD, .auth = proof, .payload = data, .payload_bytes = bytes};
    enum herald_code code =
        auth_check(auth, herald_schema_find_method(METHOD), &head, NOW_S * 1000, NOW_S * 1000, &identity, &error);
    fuzz_require(code == HERALD_OK ? proof->proof_case == HERALD__RPC__V1__AUTH__PROOF__NOT_SET : error.message[0] != 0,
                 "nobody without the key is let in");
    if (code == HERALD_OK) {
        fuzz_require(!identity.caller[0] && !identity.user[0], "without a credential nobody is known");
    }
    protobuf_c_message_free_unpacked(message, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (bytes == 0) {
        return -1;
    }
    unsigned kind = data[0] % 3;
    data++;
    bytes--;
    if (kind == 1) {
        check_signed(data, bytes);
    } else if (kind == 2) {
        check_named(data, bytes);
        check_envelope_auth(data, bytes);
    } else {
        char *token = calloc(1, bytes + 1);
        fuzz_require(token != NULL, "there is memory");
        if (bytes > 0) {
            memcpy(token, data, bytes);
        }
        fuzz_require(check_token(token) != HERALD_OK, "nobody without the key makes a token");
        free(token);
    }
    return 0;
}
