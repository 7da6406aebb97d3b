#include "herald/distribution/v1/distribution.schema.h"
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
}

/* Checks the lists of channels, and of what there is one of for each, in a message: none has a max_items of its own, which
 * would count channels, so each holds HERALD_DEFAULT_MAX_ITEMS. Returns: how many there are */
static unsigned check_lists(const struct herald_message_schema *message) {
    unsigned lists = 0;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const struct herald_field_schema *schema = &message->fields[i];
        bool is_of_channels = schema->enumeration == &herald_distribution_v1_channel_schema ||
                              schema->message == &herald_distribution_v1_channel_result_schema ||
                              schema->message == &herald_distribution_v1_channel_info_schema;
        if (field->label != PROTOBUF_C_LABEL_REPEATED || !is_of_channels) {
            continue;
        }
        lists++;
        if (schema->rules.max_items != 0) {
            fail_msg("%s.%s counts channels: its max_items is %u", message->full_name, field->name,
                     (unsigned)schema->rules.max_items);
        }
    }
    return lists;
}

static void test_channels_each_list_of_the_schemas_has_room_for_all(void **state) {
    (void)state;
    static_assert(CHANNEL_COUNT <= HERALD_DEFAULT_MAX_ITEMS, "a list without max_items is too short");
    unsigned lists = 0;
    for (size_t f = 0; f < herald_schema_count; f++) {
        for (size_t m = 0; m < herald_schemas[f]->message_count; m++) {
            lists += check_lists(herald_schemas[f]->messages[m]);
        }
    }
    assert_true(lists >= 9);
}

/* After the death of a server a post is looked up within a second or two, and sent again if it is not there. */
static void test_channels_that_can_be_asked_recognise_a_repeat(void **state) {
    (void)state;
    unsigned asked = 0;
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        asked += channel_rows[i].can.look_up ? 1 : 0;
        assert_true(!channel_rows[i].can.look_up || channel_rows[i].can.idempotency);
    }
    assert_true(asked >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels_each_of_the_schema_has_its_row),
        cmocka_unit_test(test_channels_a_number_that_is_none_has_no_row),
        cmocka_unit_test(test_channels_that_can_be_asked_recognise_a_repeat),
        cmocka_unit_test(test_channels_each_list_of_the_schemas_has_room_for_all),
    };
    return cmocka_run_group_tests_name("distribution.channels", tests, NULL, NULL);
}
