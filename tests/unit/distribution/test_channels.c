#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/distribution/channels.h"
#include "tests/unit/runtime/run.h"

static void test_channels_each_of_the_schema_has_its_row(void **state) {
    (void)state;
    const ProtobufCEnumDescriptor *schema = &herald__distribution__v1__channel__descriptor;
    assert_int_equal(schema->n_values, CHANNEL_COUNT + 1);
    for (unsigned i = 0; i < schema->n_values; i++) {
        const ProtobufCEnumValue *value = &schema->values[i];
        if (value->value == HERALD__DISTRIBUTION__V1__CHANNEL__CHANNEL_UNSPECIFIED) {
            continue;
        }
        assert_non_null(channel_find(value->value));
        assert_string_equal(channel_name(value->value), value->name);
    }
}

static void test_channels_a_number_that_is_none_has_no_row(void **state) {
    (void)state;
    assert_null(channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__CHANNEL_UNSPECIFIED));
    assert_null(channel_find(77));
    assert_string_equal(channel_name(77), "UNKNOWN");
    assert_string_equal(channel_path(77), "UNKNOWN");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels_each_of_the_schema_has_its_row),
        cmocka_unit_test(test_channels_a_number_that_is_none_has_no_row),
    };
    return cmocka_run_group_tests_name("distribution.channels", tests, NULL, NULL);
}
