#include "client/json/base64.h"
#include "server/auth/token.h"
#include "tests/unit/auth/auth_fixture.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_S  1800000000
#define METHOD "herald.event.v1.EventService/GetEvent"

static const char CALLERS[] = "[caller event]\nkey.e = " KEY_A "\nmethods = *\nact_for = any\n"
                              "[caller shop]\nkey.s = " KEY_B "\nmethods = *\n";

static int setup(void **state) {
    *state = good_callers(CALLERS);
    return 0;
}

static int teardown(void **state) {
    callers_unref(*state);
    return 0;
}

/* Signs any header and claims, with the key of 32 times @letter. */
static void forge(const char *header, const char *claims, char letter, char ret_token[2048]) {
    struct auth_key key = key_of(letter);
    const char *parts[] = {header, claims};
    uint8_t mac[32];
    unsigned mac_bytes = 0;
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        if (i == 2) {
            HMAC(EVP_sha256(), key.bytes, (int)key.count, (uint8_t *)ret_token, at - 1, mac, &mac_bytes);
        }
        const uint8_t *data = i == 2 ? mac : (const uint8_t *)parts[i];
        size_t bytes = i == 2 ? sizeof(mac) : strlen(parts[i]), chars = herald_base64_chars(bytes);
        herald_base64_write(data, bytes, ret_token + at);
        while (ret_token[at + chars - 1] == '=') {
            chars--;
        }
        for (size_t j = at; j < at + chars; j++) {
            ret_token[j] = ret_token[j] == '+' ? '-' : ret_token[j] == '/' ? '_' : ret_token[j];
        }
        at += chars;
        ret_token[at++] = i < 2 ? '.' : '\0';
    }
}

static void assert_refused_for(const struct callers *callers, const char *token, const char *reason, const char *part) {
    struct token_grant grant = {.user = "untouched"};
    struct herald_error error;
    assert_int_equal(token_check(callers, token, METHOD, "herald", NOW_S, &grant, &error), HERALD_UNAUTHENTICATED);
    assert_string_equal(error.reason, reason);
    if (!strstr(error.message, part)) {
        fail_msg("\"%s\" does not hold \"%s\"", error.message, part);
    }
    assert_string_equal(grant.user, "untouched");
}

static char *make(const struct token_claims *claims, const char *key_id, char letter) {
    struct auth_key key = key_of(letter);
    struct herald_error error;
    char *token = NULL;
    if (token_make(key_id, &key, claims, &token, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    return token;
}

static void test_token_made_is_taken_with_its_claims(void **state) {
    static const char *const METHODS[] = {METHOD, "herald.job.v1.JobService/*"};
    struct token_claims claims = {.caller = "event", .user = "u-1", .issued_s = NOW_S - 10, .life_s = 900};
    struct token_grant grant;
    struct herald_error error;
    char *token = make(&claims, "e", 'A');
    assert_int_equal(token_check(*state, token, METHOD, "herald", NOW_S, &grant, &error), HERALD_OK);
    assert_string_equal(caller_name(grant.caller), "event");
    assert_string_equal(grant.user, "u-1");
    assert_true(grant.method_allowed);
    free(token);
    claims.user = NULL;
    claims.methods = METHODS;
    claims.method_count = 2;
    token = make(&claims, "e", 'A');
    assert_int_equal(token_check(*state, token, "herald.job.v1.JobService/GetJob", "herald", NOW_S, &grant, &error),
                     HERALD_OK);
    assert_true(grant.method_allowed);
    assert_string_equal(grant.user, "");
    assert_int_equal(
        token_check(*state, token, "herald.event.v1.EventService/PublishEvent", "herald", NOW_S, &grant, &error),
        HERALD_OK);
    assert_false(grant.method_allowed);
    free(token);
}

static void test_token_ends_when_it_says(void **state) {
    struct token_claims claims = {.caller = "event", .issued_s = NOW_S, .life_s = 60};
    struct token_grant grant;
    struct herald_error error;
    char *token = make(&claims, "e", 'A');
    assert_int_equal(token_check(*state, token, METHOD, "herald", NOW_S + 59, &grant, &error), HERALD_OK);
    assert_int_equal(token_check(*state, token, METHOD, "herald", NOW_S + 60, &grant, &error), HERALD_UNAUTHENTICATED);
    assert_string_equal(error.reason, "TOKEN_EXPIRED");
    assert_int_equal(token_check(*state, token, METHOD, "herald", NOW_S - 30, &grant, &error), HERALD_OK);
    assert_int_equal(token_check(*state, token, METHOD, "herald", NOW_S - 31, &grant, &error), HERALD_UNAUTHENTICATED);
    assert_string_equal(error.reason, "BAD_TOKEN");
    free(token);
}

static void test_token_each_changed_character_is_refused(void **state) {
    struct token_claims claims = {.caller = "event", .user = "u-1", .issued_s = NOW_S, .life_s = 60};
    char *token = make(&claims, "e", 'A');
    size_t length = strlen(token);
    /* The last character's low bits stand for nothing in base64: it is left out. */
    for (size_t i = 0; i + 1 < length; i++) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        assert_refused_for(*state, token, "BAD_TOKEN", "the bearer token");
        token[i] = kept;
    }
    for (size_t i = 0; i < length; i++) {
        char kept = token[i];
        token[i] = '\0';
        assert_refused_for(*state, token, "BAD_TOKEN", "the bearer token");
        token[i] = kept;
    }
    free(token);
}

#define HEADER(algorithm, key) "{\"alg\":\"" algorithm "\",\"kid\":\"" key "\"}"
#define TIMES                  "\"iat\":1800000000,\"exp\":1800000060"
#define FOR(audience)          "{\"sub\":\"event\",\"jti\":\"1\",\"aud\":" audience "," TIMES "}"
#define CLAIMS                 "{\"sub\":\"event\",\"jti\":\"1\"," TIMES "}"

struct forgery {
    const char *header, *claims, *reason, *part;
    char key;
};

static void test_token_for_this_audience_is_taken(void **state) {
    static const char *const CLAIMS_FOR[] = {FOR("\"herald\""), FOR("[\"other-service\",\"herald\"]"), CLAIMS};
    for (size_t i = 0; i < sizeof(CLAIMS_FOR) / sizeof(*CLAIMS_FOR); i++) {
        char token[2048];
        struct token_grant grant;
        forge(HEADER("HS256", "e"), CLAIMS_FOR[i], 'A', token);
        assert_int_equal(token_check(*state, token, METHOD, "herald", NOW_S, &grant, NULL), HERALD_OK);
    }
}

static void test_token_forgeries_are_refused(void **state) {
    static const struct forgery FORGERIES[] = {
        {HEADER("none", "e"), CLAIMS, "BAD_TOKEN", "no header that says alg", 'A'},
        {HEADER("HS512", "e"), CLAIMS, "BAD_TOKEN", "no header that says alg", 'A'},
        {HEADER("hs256", "e"), CLAIMS, "BAD_TOKEN", "no header that says alg", 'A'},
        {HEADER("RS256", "e"), CLAIMS, "BAD_TOKEN", "no header that says alg", 'A'},
        {"{\"kid\":\"e\"}", CLAIMS, "BAD_TOKEN", "no header that says alg", 'A'},
        {"{\"alg\":\"HS256\"}", CLAIMS, "BAD_TOKEN", "no header that says alg", 'A'},
        {"{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"e\"}", CLAIMS, "BAD_TOKEN", "no header", 'A'},
        {"{\"alg\":\"HS256\",\"kid\":\"e\",\"crit\":[\"x\"]}", CLAIMS, "BAD_TOKEN", "no header", 'A'},
        {HEADER("HS256", "e"), CLAIMS, "BAD_TOKEN", "not signed by a key that is known", 'B'},
        {HEADER("HS256", "nobody"), CLAIMS, "BAD_TOKEN", "not signed by a key that is known", 'A'},
        {HEADER("HS256", "s"), CLAIMS, "BAD_TOKEN", "is for another caller", 'B'},
        {HEADER("HS256", "e"), "{\"jti\":\"1\"," TIMES "}", "BAD_TOKEN", "is for another caller", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\"," TIMES "}", "BAD_TOKEN", "has no id", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"iat\":1800000000}", "BAD_TOKEN", "when it ends",
         'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"exp\":1800000060}", "BAD_TOKEN", "when it was made",
         'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"iat\":1800000000,\"exp\":\"1800000060\"}",
         "BAD_TOKEN", "when it ends", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"iat\":1800000000,\"exp\":1800003601}", "BAD_TOKEN",
         "longer than an hour", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"iat\":-5,\"exp\":1800000060}", "BAD_TOKEN",
         "when it was made", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"iat\":1800000060,\"exp\":1800000060}", "BAD_TOKEN",
         "before it begins", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"iat\":1799999000,\"exp\":1799999999}",
         "TOKEN_EXPIRED", "ended 1 s ago", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"nbf\":1800000031," TIMES "}", "BAD_TOKEN",
         "from the future", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"user\":7," TIMES "}", "BAD_TOKEN",
         "a user that is none", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"user\":\"a b\"," TIMES "}", "BAD_TOKEN",
         "a user that is none", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"methods\":\"*\"," TIMES "}", "BAD_TOKEN",
         "no list of texts", 'A'},
        {HEADER("HS256", "e"), "{\"sub\":\"event\",\"jti\":\"1\",\"methods\":[7]," TIMES "}", "BAD_TOKEN",
         "no list of texts", 'A'},
        {HEADER("HS256", "e"), "[]", "BAD_TOKEN", "no JSON object", 'A'},
        {HEADER("HS256", "e"), FOR("\"other-service\""), "BAD_TOKEN", "another audience (aud) than \"herald\"", 'A'},
        {HEADER("HS256", "e"), FOR("[\"other-service\",7]"), "BAD_TOKEN", "another audience", 'A'},
        {HEADER("HS256", "e"), FOR("[]"), "BAD_TOKEN", "another audience", 'A'},
        {HEADER("HS256", "e"), FOR("\"heral\""), "BAD_TOKEN", "another audience", 'A'},
        {HEADER("HS256", "e"), FOR("null"), "BAD_TOKEN", "another audience", 'A'},
        {HEADER("HS256", "e"), FOR("{\"a\":\"herald\"}"), "BAD_TOKEN", "another audience", 'A'},
    };
    for (size_t i = 0; i < sizeof(FORGERIES) / sizeof(*FORGERIES); i++) {
        char token[2048];
        forge(FORGERIES[i].header, FORGERIES[i].claims, FORGERIES[i].key, token);
        assert_refused_for(*state, token, FORGERIES[i].reason, FORGERIES[i].part);
    }
    char token[2048];
    struct token_grant grant;
    forge(HEADER("HS256", "e"), CLAIMS, 'A', token); /* what they differ from */
    assert_int_equal(token_check(*state, token, METHOD, "herald", NOW_S, &grant, NULL), HERALD_OK);
}

static void test_token_unknown_key_and_bad_signature_look_the_same(void **state) {
    struct herald_error unknown, wrong;
    struct token_grant grant;
    char token[2048];
    forge(HEADER("HS256", "nobody"), CLAIMS, 'A', token);
    token_check(*state, token, METHOD, "herald", NOW_S, &grant, &unknown);
    forge(HEADER("HS256", "e"), CLAIMS, 'C', token);
    token_check(*state, token, METHOD, "herald", NOW_S, &grant, &wrong);
    assert_string_equal(unknown.reason, wrong.reason);
    assert_string_equal(unknown.message, wrong.message);
}

static void test_token_without_signature_is_refused(void **state) {
    char token[2048];
    forge(HEADER("none", "e"), CLAIMS, 'A', token);
    *(strrchr(token, '.') + 1) = '\0';
    assert_refused_for(*state, token, "BAD_TOKEN", "no header");
    forge(HEADER("HS256", "e"), CLAIMS, 'A', token);
    *(strrchr(token, '.') + 1) = '\0';
    assert_refused_for(*state, token, "BAD_TOKEN", "not signed");
    assert_refused_for(*state, "", "BAD_TOKEN", "three parts");
    assert_refused_for(*state, "a.b.c.d", "BAD_TOKEN", "three parts");
    assert_refused_for(*state, "..", "BAD_TOKEN", "no header");
}

static void test_token_claims_out_of_range_are_not_made(void **state) {
    struct token_claims claims = {.caller = "event", .issued_s = NOW_S, .life_s = TOKEN_LIFE_MAX_S + 1};
    struct auth_key key = key_of('A');
    struct herald_error error;
    char *token = NULL;
    (void)state;
    assert_int_equal(token_make("e", &key, &claims, &token, &error), HERALD_INVALID_ARGUMENT);
    claims.life_s = 0;
    assert_int_equal(token_make("e", &key, &claims, &token, &error), HERALD_INVALID_ARGUMENT);
    claims.life_s = 60;
    claims.user = "a b";
    assert_int_equal(token_make("e", &key, &claims, &token, &error), HERALD_INVALID_ARGUMENT);
    assert_null(token);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_made_is_taken_with_its_claims),
        cmocka_unit_test(test_token_ends_when_it_says),
        cmocka_unit_test(test_token_each_changed_character_is_refused),
        cmocka_unit_test(test_token_for_this_audience_is_taken),
        cmocka_unit_test(test_token_forgeries_are_refused),
        cmocka_unit_test(test_token_unknown_key_and_bad_signature_look_the_same),
        cmocka_unit_test(test_token_without_signature_is_refused),
        cmocka_unit_test(test_token_claims_out_of_range_are_not_made),
    };
    int failed = cmocka_run_group_tests_name("auth.token", tests, setup, teardown);
    remove_files();
    return failed;
}
