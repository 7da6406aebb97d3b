#include "herald/json.h"
#include "herald/unpack.h"
#include "herald/validate.h"
#include "sample/v1/types.pb-c.h"
#include "sample/v1/types.schema.h"
#include "tests/unit/json/random_message.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What Herald's own schemas do not use: a oneof, doubles, an enum with aliases and values below zero. */

static void assert_json(const Sample__V1__Thing *thing, const char *expected) {
    char *json = NULL;
    struct herald_error error;
    ProtobufCMessage *back = NULL;
    uint8_t one[256], other[256];
    assert_int_equal(herald_json_write(&sample_v1_thing_schema, &thing->base, NULL, &json, &error), HERALD_OK);
    assert_string_equal(json, expected);
    assert_int_equal(herald_json_read(&sample_v1_thing_schema, json, strlen(json), NULL, &back, &error), HERALD_OK);
    size_t bytes = protobuf_c_message_pack(&thing->base, one);
    assert_int_equal(protobuf_c_message_pack(back, other), bytes);
    assert_memory_equal(one, other, bytes);
    protobuf_c_message_free_unpacked(back, NULL);
    free(json);
}

static void test_json_doubles_are_written_with_the_digits_they_need(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *json;
    } cases[] = {
        {0, "{\"money\":0}"},
        {0.1, "{\"money\":0.1}"},
        {-2.5, "{\"money\":-2.5}"},
        {1e300, "{\"money\":1e+300}"},
        {0.1 + 0.2, "{\"money\":0.30000000000000004}"},
        {5e-324, "{\"money\":4.94065645841247e-324}"},
        {9007199254740993.0, "{\"money\":9007199254740992}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Sample__V1__Thing thing = SAMPLE__V1__THING__INIT;
        thing.price_case = SAMPLE__V1__THING__PRICE_MONEY;
        thing.money = cases[i].value;
        assert_json(&thing, cases[i].json);
    }
    Sample__V1__Thing thing = SAMPLE__V1__THING__INIT;
    thing.price_case = SAMPLE__V1__THING__PRICE_MONEY;
    thing.money = (double)INFINITY;
    assert_json(&thing, "{\"money\":\"Infinity\"}");
    thing.money = -(double)INFINITY;
    assert_json(&thing, "{\"money\":\"-Infinity\"}");
    thing.money = (double)NAN;
    assert_json(&thing, "{\"money\":\"NaN\"}");
}

static void test_json_oneof_is_written_when_set_even_to_zero(void **state) {
    (void)state;
    Sample__V1__Thing thing = SAMPLE__V1__THING__INIT;
    assert_json(&thing, "{}");
    thing.price_case = SAMPLE__V1__THING__PRICE_POINTS;
    thing.points = 0;
    assert_json(&thing, "{\"bonusPoints\":\"0\"}");
}

static void test_json_enum_below_zero_and_alias(void **state) {
    (void)state;
    Sample__V1__Thing thing = SAMPLE__V1__THING__INIT;
    thing.colour = SAMPLE__V1__COLOUR__ULTRAVIOLET;
    thing.lowest = INT64_MIN;
    assert_json(&thing, "{\"colour\":\"ULTRAVIOLET\",\"lowest\":\"-9223372036854775808\"}");
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    static const char json[] = "{\"colour\":\"AZURE\"}";
    assert_int_equal(herald_json_read(&sample_v1_thing_schema, json, strlen(json), NULL, &message, &error), HERALD_OK);
    assert_int_equal(((Sample__V1__Thing *)message)->colour, SAMPLE__V1__COLOUR__BLUE);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void test_json_read_of_two_members_of_a_oneof_is_refused(void **state) {
    (void)state;
    static const char json[] = "{\"money\":1,\"bonusPoints\":\"2\"}";
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(herald_json_read(&sample_v1_thing_schema, json, strlen(json), NULL, &message, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].field, "bonusPoints");
    assert_null(message);
}

static void test_json_random_things_survive_round_trip(void **state) {
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 2000; round++) {
        ProtobufCMessage *thing = random_message(&sample_v1_thing_schema, &seed);
        char *json = NULL;
        struct herald_error error;
        ProtobufCMessage *from_json = NULL, *from_bytes = NULL;
        size_t bytes = protobuf_c_message_get_packed_size(thing);
        uint8_t *packed = malloc(bytes + 1);
        uint8_t *again = malloc(bytes + 1);
        protobuf_c_message_pack(thing, packed);
        assert_int_equal(herald_json_write(&sample_v1_thing_schema, thing, NULL, &json, &error), HERALD_OK);
        assert_int_equal(herald_json_read(&sample_v1_thing_schema, json, strlen(json), NULL, &from_json, &error),
                         HERALD_OK);
        assert_int_equal(herald_unpack(&sample_v1_thing_schema, NULL, packed, bytes, &from_bytes, &error), HERALD_OK);
        assert_int_equal(protobuf_c_message_pack(from_json, again), bytes);
        assert_memory_equal(packed, again, bytes);
        assert_int_equal(protobuf_c_message_pack(from_bytes, again), bytes);
        assert_memory_equal(packed, again, bytes);
        protobuf_c_message_free_unpacked(thing, NULL);
        protobuf_c_message_free_unpacked(from_json, NULL);
        protobuf_c_message_free_unpacked(from_bytes, NULL);
        free(packed);
        free(again);
        free(json);
    }
}

static void test_validate_thing_names_every_violation(void **state) {
    (void)state;
    Sample__V1__Thing thing = SAMPLE__V1__THING__INIT;
    Sample__V1__Thing__PartList list = SAMPLE__V1__THING__PART_LIST__INIT;
    char *parts[] = {(char *)"bolt", (char *)"x", (char *)"a part with a name too long"};
    struct herald_error error;
    list.n_parts = 3;
    list.parts = parts;
    thing.part_list = &list;
    thing.lowest = 0;
    thing.percent = 101;
    thing.colour = (Sample__V1__Colour)5;
    assert_int_equal(herald_validate(&sample_v1_thing_schema, &thing.base, &error), HERALD_INVALID_ARGUMENT);
    static const char *const expected[][2] = {
        {"thingId", "REQUIRED"},           {"colour", "UNKNOWN_VALUE"},
        {"partList.order", "REQUIRED"},    {"partList.parts[1]", "TOO_SHORT"},
        {"partList.parts[2]", "TOO_LONG"}, {"lowest", "OUT_OF_RANGE"},
        {"percent", "OUT_OF_RANGE"},       {"lastName", "REQUIRED"},
    };
    assert_int_equal(error.detail_count, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < error.detail_count; i++) {
        assert_string_equal(error.details[i].field, expected[i][0]);
        assert_string_equal(error.details[i].reason, expected[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_doubles_are_written_with_the_digits_they_need),
        cmocka_unit_test(test_json_oneof_is_written_when_set_even_to_zero),
        cmocka_unit_test(test_json_enum_below_zero_and_alias),
        cmocka_unit_test(test_json_read_of_two_members_of_a_oneof_is_refused),
        cmocka_unit_test(test_json_random_things_survive_round_trip),
        cmocka_unit_test(test_validate_thing_names_every_violation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
