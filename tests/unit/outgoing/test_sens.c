/* Signatures for NAVER Cloud, against those that `openssl dgst -sha256 -hmac` makes of the same lines. */
#include "server/outgoing/sens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_sens_signature_of_a_post_is_the_known_one(void **state) {
    (void)state;
    char signature[SENS_SIGNATURE_BYTES];
    assert_true(sens_sign("SECRETKEY9876543210", "POST", "/brandmessage/v2/services/ncp:kkobizmsg:kr:123:shop/messages",
                          1764399600000, "ACCESSKEY0123456789", signature));
    assert_string_equal(signature, "SwfEGSBkNCkDyu3lDB+cro4MXL8qrFxAcYCu+5Mu2Ac=");
}

static void test_sens_signature_covers_the_query(void **state) {
    (void)state;
    char signature[SENS_SIGNATURE_BYTES];
    assert_true(sens_sign(
        "s", "GET", "/kakao/brandmessage/v2/services/s1/messages?idempotencyKey=evt_00112233445566778899aabbccddeeff",
        1, "k", signature));
    assert_string_equal(signature, "ODVu4hgSG7eOH3SmINh24lHnu6Bim/683TxWUScxCrQ=");
}

static void test_sens_signature_changes_with_each_part(void **state) {
    (void)state;
    static const struct {
        const char *secret, *method, *path;
        int64_t timestamp_ms;
        const char *key;
    } PARTS[] = {
        {"s", "GET", "/a", 1, "k"}, {"t", "GET", "/a", 1, "k"}, {"s", "POST", "/a", 1, "k"},
        {"s", "GET", "/b", 1, "k"}, {"s", "GET", "/a", 2, "k"}, {"s", "GET", "/a", 1, "l"},
    };
    enum { COUNT = sizeof(PARTS) / sizeof(PARTS[0]) };
    char signatures[COUNT][SENS_SIGNATURE_BYTES];
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(sens_sign(PARTS[i].secret, PARTS[i].method, PARTS[i].path, PARTS[i].timestamp_ms, PARTS[i].key,
                              signatures[i]));
        assert_int_equal(strlen(signatures[i]), SENS_SIGNATURE_BYTES - 1);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(signatures[i], signatures[j]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sens_signature_of_a_post_is_the_known_one),
        cmocka_unit_test(test_sens_signature_covers_the_query),
        cmocka_unit_test(test_sens_signature_changes_with_each_part),
    };
    return cmocka_run_group_tests_name("outgoing.sens", tests, NULL, NULL);
}
