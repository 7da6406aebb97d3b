#include "server/auth/token.h"

#include "client/base/digest.h"
#include "client/json/base64.h"
#include "herald/uuid.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* A token is HEADER.CLAIMS.MAC, each in base64url without padding; the MAC covers the text "HEADER.CLAIMS". */
#define MAC_BYTES 32u
#define MAC_CHARS 43u

static bool compute_mac(const struct auth_key *key, const char *text, size_t bytes, uint8_t ret_mac[MAC_BYTES]) {
    const struct herald_piece signed_text = {text, bytes};
    return herald_hmac_sha256(key->bytes, key->count, &signed_text, 1, ret_mac);
}

/* Writes base64url without padding, terminated; @to has room for herald_base64_chars() + 1. */
static size_t write_url64(const uint8_t *data, size_t bytes, char *to) {
    size_t chars = herald_base64_chars(bytes);
    herald_base64_write(data, bytes, to);
    while (chars > 0 && to[chars - 1] == '=') {
        chars--;
    }
    for (size_t i = 0; i < chars; i++) {
        to[i] = to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i];
    }
    to[chars] = '\0';
    return chars;
}

/* ---- making ---- */

static enum herald_code check_claims(const char *key_id, const struct token_claims *claims,
                                     struct herald_error *reterr) {
    const char *wrong = NULL;
    if (!caller_is_token(key_id, CALLER_TEXT_BYTES - 1)) {
        wrong = "the key's id has 1 to 64 printable ASCII characters without blanks";
    } else if (!caller_is_token(claims->caller, CALLER_NAME_BYTES - 1)) {
        wrong = "a caller's name has 1 to 40 printable ASCII characters without blanks";
    } else if (claims->user && !caller_is_token(claims->user, CALLER_TEXT_BYTES - 1)) {
        wrong = "a user has 1 to 64 printable ASCII characters without blanks";
    } else if (claims->life_s < 1 || claims->life_s > TOKEN_LIFE_MAX_S) {
        wrong = "a token lives from 1 second to 1 hour";
    } else if (claims->method_count > TOKEN_METHODS_MAX) {
        wrong = "a token is narrowed to at most 16 methods";
    }
    return wrong ? herald_error_set(reterr, HERALD_REASON_BAD_CLAIM, "%s", wrong) : HERALD_OK;
}

static json_t *claims_json(const struct token_claims *claims) {
    char id[37];
    herald_uuid7(id);
    json_t *json = json_pack("{s:s, s:I, s:I, s:s}", "sub", claims->caller, "iat", (json_int_t)claims->issued_s, "exp",
                             (json_int_t)claims->issued_s + claims->life_s, "jti", id);
    if (claims->user) {
        json_object_set_new(json, "user", json_string(claims->user));
    }
    if (claims->method_count > 0) {
        json_t *methods = json_array();
        for (size_t i = 0; i < claims->method_count; i++) {
            json_array_append_new(methods, json_string(claims->methods[i]));
        }
        json_object_set_new(json, "methods", methods);
    }
    return json;
}

/* Appends a part; takes the reference. False: no memory, or too long. */
static bool append_part(char token[TOKEN_MAX_CHARS + 1], size_t *at, json_t *json) {
    char *text = json_dumps(json, JSON_COMPACT);
    size_t bytes = text ? strlen(text) : 0;
    bool fits = text && *at + herald_base64_chars(bytes) + 1 + MAC_CHARS + 2 <= TOKEN_MAX_CHARS;
    if (fits) {
        *at += write_url64((const uint8_t *)text, bytes, token + *at);
        token[(*at)++] = '.';
    }
    free(text);
    json_decref(json);
    return fits;
}

enum herald_code token_make(const char *key_id, const struct auth_key *key, const struct token_claims *claims,
                            char **ret_token, struct herald_error *reterr) {
    char token[TOKEN_MAX_CHARS + 1];
    uint8_t mac[MAC_BYTES];
    size_t at = 0;
    enum herald_code code = check_claims(key_id, claims, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (!append_part(token, &at, json_pack("{s:s, s:s, s:s}", "alg", "HS256", "typ", "JWT", "kid", key_id)) ||
        !append_part(token, &at, claims_json(claims))) {
        return herald_error_set(reterr, HERALD_REASON_BAD_CLAIM,
                                "the token would have more than %u characters: name fewer methods", TOKEN_MAX_CHARS);
    }
    bool made = compute_mac(key, token, at - 1, mac);
    if (made) {
        write_url64(mac, sizeof(mac), token + at);
    }
    char *copy = made ? strdup(token) : NULL;
    OPENSSL_cleanse(token, sizeof(token));
    if (!copy) {
        return herald_error_no_memory(reterr, "a token");
    }
    *ret_token = copy;
    return HERALD_OK;
}

/* ---- checking ---- */

/* Stands in for an unknown key, so that the check takes as long as with a known one. */
static const struct auth_key NO_KEY = {.bytes = {1}, .count = AUTH_KEY_MIN_BYTES};

static enum herald_code bad_token(struct herald_error *reterr, const char *what) {
    return herald_error_set(reterr, HERALD_REASON_BAD_TOKEN,
                            "the bearer token %s; make one with: heraldctl token --caller NAME", what);
}

static json_t *read_part(const char *text, size_t chars) {
    uint8_t bytes[TOKEN_MAX_CHARS];
    size_t count = 0;
    if (chars > TOKEN_MAX_CHARS - 8 || memchr(text, '=', chars) || !herald_base64_read(text, chars, bytes, &count)) {
        return NULL;
    }
    json_t *json = json_loadb((const char *)bytes, count, JSON_REJECT_DUPLICATES, NULL);
    if (json && !json_is_object(json)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static const char *text_of_member(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

/* Finds the key that the header names. False: the header is malformed. *ret_known is NULL for an unknown key. */
static bool read_token_header(const struct callers *callers, const char *text, size_t chars,
                              const struct caller_key **ret_known) {
    json_t *header = read_part(text, chars);
    const char *algorithm = text_of_member(header, "alg"), *key_id = text_of_member(header, "kid");
    bool good = algorithm && strcmp(algorithm, "HS256") == 0 && key_id && !json_object_get(header, "crit");
    *ret_known = good ? callers_find_key(callers, key_id) : NULL;
    json_decref(header);
    return good;
}

bool token_read_key_id(const char *token, size_t chars, char ret_key_id[CALLER_TEXT_BYTES]) {
    const char *dot = memchr(token, '.', chars);
    json_t *header = dot ? read_part(token, (size_t)(dot - token)) : NULL;
    const char *key_id = text_of_member(header, "kid");
    bool good = key_id && strlen(key_id) < CALLER_TEXT_BYTES;
    if (good) {
        strcpy(ret_key_id, key_id);
    }
    json_decref(header);
    return good;
}

static bool token_mac_fits(const struct auth_key *key, const char *token, size_t signed_chars, const char *mac_text) {
    uint8_t wanted[MAC_BYTES], given[MAC_BYTES + 3];
    size_t given_bytes = 0;
    bool good = strlen(mac_text) == MAC_CHARS && herald_base64_read(mac_text, MAC_CHARS, given, &given_bytes) &&
                given_bytes == MAC_BYTES;
    if (!good) {
        memset(given, 0, sizeof(given));
    }
    bool computed = compute_mac(key, token, signed_chars, wanted);
    return (CRYPTO_memcmp(wanted, given, MAC_BYTES) == 0) & good & computed;
}

static bool read_seconds(const json_t *claims, const char *name, int64_t *ret_seconds) {
    const json_t *value = json_object_get(claims, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > INT64_MAX / 4) {
        return false;
    }
    *ret_seconds = json_integer_value(value);
    return true;
}

static enum herald_code check_times(const json_t *claims, int64_t now_s, struct herald_error *reterr) {
    int64_t issued_s = 0, expires_s = 0, not_before_s = 0;
    if (!read_seconds(claims, "exp", &expires_s) || !read_seconds(claims, "iat", &issued_s)) {
        return bad_token(reterr, "does not say when it was made (iat) and when it ends (exp), in seconds");
    }
    if (expires_s <= issued_s || expires_s - issued_s > TOKEN_LIFE_MAX_S) {
        return bad_token(reterr, "lives longer than an hour, or ends before it begins");
    }
    if (json_object_get(claims, "nbf") && !read_seconds(claims, "nbf", &not_before_s)) {
        return bad_token(reterr, "has a claim nbf that is no number");
    }
    if (issued_s > now_s + TOKEN_SKEW_S || not_before_s > now_s + TOKEN_SKEW_S) {
        return bad_token(reterr,
                         "is from the future: the clocks of its maker and of this server differ by more than 30 s");
    }
    if (expires_s > now_s) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_TOKEN_EXPIRED,
                            "the bearer token ended %lld s ago; make another with: heraldctl token --caller NAME",
                            (long long)(now_s - expires_s));
}

/* True when the token allows @method, or has no claim `methods`. *ret_good is false if that claim is malformed. */
static bool allows(const json_t *claims, const char *method, bool *ret_good) {
    const json_t *methods = json_object_get(claims, "methods"), *item;
    bool allowed = !methods;
    size_t i;
    *ret_good = !methods || json_is_array(methods);
    json_array_foreach(methods, i, item) {
        const char *pattern = json_string_value(item);
        *ret_good = *ret_good && pattern;
        allowed = allowed || (pattern && caller_pattern_matches(pattern, method));
    }
    return allowed;
}

/* True without the claim aud, or when it names @audience (RFC 7519, section 4.1.3). */
static bool is_for_audience(const json_t *claims, const char *audience) {
    const json_t *named = json_object_get(claims, "aud"), *item;
    bool found = !named || (json_is_string(named) && strcmp(json_string_value(named), audience) == 0);
    size_t i;
    json_array_foreach(named, i, item) {
        found = found || (json_is_string(item) && strcmp(json_string_value(item), audience) == 0);
    }
    return found;
}

static enum herald_code read_claims(const json_t *claims, const struct caller *caller, const char *method,
                                    const char *audience, int64_t now_s, struct token_grant *ret_grant,
                                    struct herald_error *reterr) {
    struct token_grant grant = {.caller = caller};
    const char *subject = text_of_member(claims, "sub"), *id = text_of_member(claims, "jti"),
               *user = text_of_member(claims, "user");
    bool methods_good = true;
    if (!subject || strcmp(subject, caller_name(caller)) != 0) {
        return bad_token(reterr, "is for another caller (sub) than the one whose key signed it");
    }
    if (!is_for_audience(claims, audience)) {
        return herald_error_set(
            reterr, HERALD_REASON_BAD_TOKEN,
            "the bearer token is for another audience (aud) than \"%s\"; make one for it, or without "
            "aud: heraldctl token --caller NAME",
            audience);
    }
    if (!id || !caller_is_token(id, CALLER_TEXT_BYTES - 1)) {
        return bad_token(reterr, "has no id (jti)");
    }
    if (json_object_get(claims, "user") && (!user || !caller_is_token(user, CALLER_TEXT_BYTES - 1))) {
        return bad_token(reterr, "has a user that is none: 1 to 64 printable ASCII characters without blanks");
    }
    grant.method_allowed = allows(claims, method, &methods_good);
    if (!methods_good) {
        return bad_token(reterr, "has a claim methods that is no list of texts");
    }
    if (user) {
        strcpy(grant.user, user); /* checked: it fits */
    }
    enum herald_code code = check_times(claims, now_s, reterr);
    if (code == HERALD_OK) {
        *ret_grant = grant;
    }
    return code;
}

enum herald_code token_check(const struct callers *callers, const char *token, const char *method, const char *audience,
                             int64_t now_s, struct token_grant *ret_grant, struct herald_error *reterr) {
    const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    const struct caller_key *known = NULL;
    if (!second || strchr(second + 1, '.') || strlen(token) > TOKEN_MAX_CHARS) {
        return bad_token(reterr, "is no JWT of three parts");
    }
    if (!read_token_header(callers, token, (size_t)(first - token), &known)) {
        return bad_token(reterr, "has no header that says alg \"HS256\" and kid");
    }
    bool fits = token_mac_fits(known ? &known->key : &NO_KEY, token, (size_t)(second - token), second + 1);
    if (!known || !fits) {
        return bad_token(reterr, "is not signed by a key that is known here");
    }
    json_t *claims = read_part(first + 1, (size_t)(second - first - 1));
    enum herald_code code = claims ? read_claims(claims, known->caller, method, audience, now_s, ret_grant, reterr)
                                   : bad_token(reterr, "has claims that are no JSON object");
    json_decref(claims);
    return code;
}
