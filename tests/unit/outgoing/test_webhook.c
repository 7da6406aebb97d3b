/* Standard Webhooks 1.0.0, the sending side. */
#include "server/outgoing/webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KNOWN_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static void test_webhook_sign_known_answer_matches(void **state) {
    (void)state;
    struct webhook_secret secret;
    char signature[64];
    const char *body = "{\"test\": 2432232314}";
    assert_int_equal(webhook_secret_parse(KNOWN_SECRET, &secret, NULL), HERALD_OK);
    assert_int_equal(secret.key_bytes, 24);
    webhook_sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, strlen(body), signature, sizeof(signature));
    assert_string_equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void test_webhook_sign_any_part_changed_differs(void **state) {
    (void)state;
    struct webhook_secret secret, other;
    char first[64], changed[64];
    assert_int_equal(webhook_secret_parse(KNOWN_SECRET, &secret, NULL), HERALD_OK);
    assert_int_equal(webhook_secret_parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &other, NULL), HERALD_OK);
    webhook_sign(&secret, "id", 10, "body", 4, first, sizeof(first));
    webhook_sign(&secret, "ix", 10, "body", 4, changed, sizeof(changed));
    assert_string_not_equal(first, changed);
    webhook_sign(&secret, "id", 11, "body", 4, changed, sizeof(changed));
    assert_string_not_equal(first, changed);
    webhook_sign(&secret, "id", 10, "bodY", 4, changed, sizeof(changed));
    assert_string_not_equal(first, changed);
    webhook_sign(&other, "id", 10, "body", 4, changed, sizeof(changed));
    assert_string_not_equal(first, changed);
    webhook_sign(&secret, "id", 10, "body", 4, changed, sizeof(changed));
    assert_string_equal(first, changed);
}

static void test_webhook_sign_empty_body_is_signed(void **state) {
    (void)state;
    struct webhook_secret secret;
    char signature[64];
    assert_int_equal(webhook_secret_parse(KNOWN_SECRET, &secret, NULL), HERALD_OK);
    webhook_sign(&secret, "id", 1, NULL, 0, signature, sizeof(signature));
    assert_int_equal(strlen(signature), strlen("v1,") + 44);
}

static void test_webhook_secret_longest_is_read(void **state) {
    (void)state;
    struct webhook_secret secret;
    char text[128] = "whsec_";
    memset(text + 6, '/', 86); /* 64 bytes: 85 digits and one of which only the top bits count */
    memcpy(text + 6 + 85, "w==", 4);
    assert_int_equal(webhook_secret_parse(text, &secret, NULL), HERALD_OK);
    assert_int_equal(secret.key_bytes, 64);
    assert_int_equal(secret.key[0], 0xff);
    assert_int_equal(secret.key[63], 0xff);
}

static void test_webhook_secret_malformed_is_refused(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",   /* not a multiple of four */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==",  /* 23 bytes */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-",  /* no digit of base64 */
        "whsec_MfKQ9r8GKYqrTwjU=D8ILPZIo2LaLaSw",  /* padding inside */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ", /* trailing space */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La====",  /* too much padding */
        "whsec_////////////////////////////////////////////////////////////////////////////////////////", /* 66 */
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct webhook_secret secret = {.key_bytes = 99};
        struct herald_error error;
        assert_int_equal(webhook_secret_parse(BAD[i], &secret, &error), HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "BAD_WEBHOOK_SECRET");
        assert_int_equal(secret.key_bytes, 99);
        if (strlen(BAD[i]) > 8) {
            assert_null(strstr(error.message, BAD[i] + 6)); /* secrets do not get into messages */
        }
    }
}

#define NEW_SECRET "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void test_webhook_secrets_of_each_separator_are_read(void **state) {
    (void)state;
    static const char *const texts[] = {
        NEW_SECRET " " KNOWN_SECRET,
        NEW_SECRET "," KNOWN_SECRET,
        " " NEW_SECRET " ,\t" KNOWN_SECRET "\r\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct webhook_secrets secrets;
        struct webhook_secret known;
        assert_int_equal(webhook_secret_parse(KNOWN_SECRET, &known, NULL), HERALD_OK);
        assert_int_equal(webhook_secrets_parse(texts[i], &secrets, NULL), HERALD_OK);
        assert_int_equal(secrets.count, 2);
        assert_int_equal(secrets.secrets[0].key[0], 0);
        assert_memory_equal(secrets.secrets[1].key, known.key, known.key_bytes);
        assert_int_equal(secrets.secrets[1].key_bytes, known.key_bytes);
    }
}

static void test_webhook_secrets_malformed_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        " , ",
        KNOWN_SECRET ";" KNOWN_SECRET,
        KNOWN_SECRET KNOWN_SECRET,
        KNOWN_SECRET " whsec_short",
        "short " KNOWN_SECRET,
        KNOWN_SECRET " " KNOWN_SECRET " " KNOWN_SECRET " " KNOWN_SECRET " " KNOWN_SECRET,
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct webhook_secrets secrets = {.count = 99};
        struct herald_error error;
        assert_int_equal(webhook_secrets_parse(bad[i], &secrets, &error), HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "BAD_WEBHOOK_SECRET");
        assert_int_equal(secrets.count, 99);
        assert_null(strstr(error.message, "MfKQ9r8"));
    }
}

static void test_webhook_sign_all_has_a_signature_of_each_secret(void **state) {
    (void)state;
    struct webhook_secrets secrets;
    char all[WEBHOOK_SIGNATURES_BYTES], expected[WEBHOOK_SIGNATURES_BYTES], newest[64];
    const char *body = "{\"test\": 2432232314}", *id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    assert_int_equal(webhook_secrets_parse(NEW_SECRET " " KNOWN_SECRET, &secrets, NULL), HERALD_OK);
    webhook_sign(&secrets.secrets[0], id, 1614265330, body, strlen(body), newest, sizeof(newest));
    snprintf(expected, sizeof(expected), "%s v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", newest);
    assert_true(webhook_sign_all(&secrets, id, 1614265330, body, strlen(body), all));
    assert_string_equal(all, expected);
}

static void test_webhook_sign_all_of_the_most_secrets_fits(void **state) {
    (void)state;
    struct webhook_secrets secrets;
    char all[WEBHOOK_SIGNATURES_BYTES];
    assert_int_equal(webhook_secrets_parse(KNOWN_SECRET " " KNOWN_SECRET " " NEW_SECRET "," NEW_SECRET, &secrets, NULL),
                     HERALD_OK);
    assert_int_equal(secrets.count, WEBHOOK_SECRETS_MAX);
    assert_true(webhook_sign_all(&secrets, "id", 1, "body", 4, all));
    assert_int_equal(strlen(all), WEBHOOK_SIGNATURES_BYTES - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_webhook_sign_known_answer_matches),
        cmocka_unit_test(test_webhook_sign_any_part_changed_differs),
        cmocka_unit_test(test_webhook_sign_empty_body_is_signed),
        cmocka_unit_test(test_webhook_secret_longest_is_read),
        cmocka_unit_test(test_webhook_secret_malformed_is_refused),
        cmocka_unit_test(test_webhook_secrets_of_each_separator_are_read),
        cmocka_unit_test(test_webhook_secrets_malformed_are_refused),
        cmocka_unit_test(test_webhook_sign_all_has_a_signature_of_each_secret),
        cmocka_unit_test(test_webhook_sign_all_of_the_most_secrets_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
