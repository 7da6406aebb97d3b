#include "herald/json.h"
#include "herald/unpack.h"
#include "herald/validate.h"
#include "sample/v1/kinds.pb-c.h"
#include "sample/v1/kinds.schema.h"
#include "sample/v1/types.pb-c.h"
#include "sample/v1/types.schema.h"
#include "tests/unit/json/random_message.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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
    assert_int_equal(herald_json_read(&sample_v1_thing_schema, json, strlen(json), NULL, NULL, &back, &error),
                     HERALD_OK);
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
        {-0.0, "{\"money\":-0.0}"},
        {2.2250738585072014e-308, "{\"money\":2.2250738585072014e-308}"},
        {1.7976931348623157e308, "{\"money\":1.7976931348623157e+308}"},
        {-2.5, "{\"money\":-2.5}"},
        {1e300, "{\"money\":1e+300}"},
        {0.1 + 0.2, "{\"money\":0.30000000000000004}"},
        {5e-324, "{\"money\":5e-324}"},
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
    assert_int_equal(herald_json_read(&sample_v1_thing_schema, json, strlen(json), NULL, NULL, &message, &error),
                     HERALD_OK);
    assert_int_equal(((Sample__V1__Thing *)message)->colour, SAMPLE__V1__COLOUR__BLUE);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void test_json_read_of_two_members_of_a_oneof_is_refused(void **state) {
    (void)state;
    static const char json[] = "{\"money\":1,\"bonusPoints\":\"2\"}";
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(herald_json_read(&sample_v1_thing_schema, json, strlen(json), NULL, NULL, &message, &error),
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
        assert_int_equal(herald_json_read(&sample_v1_thing_schema, json, strlen(json), NULL, NULL, &from_json, &error),
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

static Sample__V1__Kinds *read_kinds(const char *json, const struct herald_json_read_options *options) {
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    if (herald_json_read(&sample_v1_kinds_schema, json, strlen(json), options, NULL, &message, &error) != HERALD_OK) {
        fail_msg("%s: %s", json, error.message);
    }
    return (Sample__V1__Kinds *)message;
}

static void assert_refused(const char *json, const struct herald_json_read_options *options, enum herald_code code,
                           const char *field, const char *text) {
    ProtobufCMessage *message = NULL;
    struct herald_error error = {0};
    if (herald_json_read(&sample_v1_kinds_schema, json, strlen(json), options, NULL, &message, &error) != code) {
        fail_msg("%s: %s", json, error.message);
    }
    assert_string_equal(error.details[0].field, field);
    if (!strstr(error.message, text)) {
        fail_msg("%s: \"%s\" lacks \"%s\"", json, error.message, text);
    }
    assert_null(message);
}

static void test_json_whole_numbers_are_read_exactly_however_written(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"18446744073709551615", UINT64_MAX},
        {"\"18446744073709551615\"", UINT64_MAX},
        {"18446744073709551615.000", UINT64_MAX},
        {"1844674407370955161500e-2", UINT64_MAX},
        {"1.8446744073709551615e19", UINT64_MAX},
        {"9007199254740993", UINT64_C(9007199254740993)},
        {"9007199254740993.0", UINT64_C(9007199254740993)},
        {"1e3", 1000},
        {"\"1E+3\"", 1000},
        {"120e-1", 12},
        {"0.5e1", 5},
        {"100", 100},
        {"-0", 0},
        {"-0.0e5", 0},
        {"0e999999999999999999", 0},
        {"0.000", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[80];
        snprintf(json, sizeof(json), "{\"aUint64\":%s,\"bools\":[]}", cases[i].text);
        Sample__V1__Kinds *kinds = read_kinds(json, NULL);
        if (kinds->a_uint64 != cases[i].value) {
            fail_msg("%s was read as %" PRIu64, cases[i].text, kinds->a_uint64);
        }
        protobuf_c_message_free_unpacked(&kinds->base, NULL);
    }
}

static void test_json_numbers_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "18446744073709551616",
        "1844674407370955161501e-2",
        "1e20",
        "1e999999999999999999",
        "0.5",
        "1e-1",
        "1e-999999999999999999",
        "\"1e-1\"",
        "-1",
        "\"0x10\"",
        "\"\"",
        "\"1 \"",
        "\"01\"",
        "\"1.\"",
        "true",
        "[1]",
        "{}",
        "\"-\"",
        "99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char json[160];
        snprintf(json, sizeof(json), "{\"uint64s\":[1,%s]}", texts[i]);
        assert_refused(json, NULL, HERALD_INVALID_ARGUMENT, "uint64s[1]",
                       "must be a whole number, 0..18446744073709551615");
    }
    assert_refused("{\"anInt64\":9223372036854775808}", NULL, HERALD_INVALID_ARGUMENT, "anInt64", "whole number");
    assert_refused("{\"aFloat\":3.5e38}", NULL, HERALD_INVALID_ARGUMENT, "aFloat", "too large for a float");
    assert_refused("{\"aDouble\":1e309}", NULL, HERALD_INVALID_ARGUMENT, "aDouble", "too large for a double");
    assert_refused("{\"aDouble\":\"nan\"}", NULL, HERALD_INVALID_ARGUMENT, "aDouble", "\"NaN\"");
    Sample__V1__Kinds *kinds = read_kinds("{\"anInt64\":-9223372036854775808,\"aDouble\":-0}", NULL);
    assert_true(kinds->an_int64 == INT64_MIN);
    assert_true(signbit(kinds->a_double));
    protobuf_c_message_free_unpacked(&kinds->base, NULL);
}

/* What an empty text of a oneof is packed to: it is set all the same. */
static void test_json_empty_text_of_a_oneof_is_packed(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"oneString\":\"\"}", "{\"oneBytes\":\"\"}", "{\"oneThing\":{}}"};
    static const char *const packed[] = {"\x9a\x04\x00", "\xa2\x04\x00", "\xb2\x04\x00"};
    for (size_t i = 0; i < 3; i++) {
        Sample__V1__Kinds *kinds = read_kinds(texts[i], NULL);
        uint8_t bytes[16];
        assert_int_equal(protobuf_c_message_pack(&kinds->base, bytes), 3);
        assert_memory_equal(bytes, packed[i], 3);
        protobuf_c_message_free_unpacked(&kinds->base, NULL);
    }
}

static void test_json_null_in_a_oneof_leaves_it_open(void **state) {
    (void)state;
    Sample__V1__Kinds *kinds = read_kinds("{\"oneString\":null,\"oneInt32\":0,\"oneThing\":null}", NULL);
    assert_int_equal(kinds->choice_case, SAMPLE__V1__KINDS__CHOICE_ONE_INT32);
    protobuf_c_message_free_unpacked(&kinds->base, NULL);
}

static void test_json_escapes_are_decoded(void **state) {
    (void)state;
    Sample__V1__Kinds *kinds = read_kinds(
        "{\"\\u0061String\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD55C\\ud83d\\uDE00x\",\"someBytes\":\"\\/\\/\\u0037"
        "9\\/A==\",\"anInt32\":\"\\u0031\"}",
        NULL);
    assert_string_equal(kinds->a_string, "\"\\/\b\f\n\r\té한😀x");
    assert_int_equal(kinds->some_bytes.len, 4);
    assert_memory_equal(kinds->some_bytes.data, "\xff\xfe\xfd\xfc", 4);
    assert_int_equal(kinds->an_int32, 1);
    protobuf_c_message_free_unpacked(&kinds->base, NULL);
}

/* DEL and U+0080 to U+009F, which a terminal obeys, and their neighbours. */
static void test_json_controls_beyond_ascii_are_escaped(void **state) {
    (void)state;
    static char text[] = "~\x7f\xc2\x80\xc2\x9b"
                         "2J\xc2\x9f\xc2\xa0é한\x7f";
    char *texts[] = {text};
    Sample__V1__Kinds kinds = SAMPLE__V1__KINDS__INIT;
    char *json = NULL;
    struct herald_error error;
    kinds.a_string = text;
    kinds.n_strings = 1;
    kinds.strings = texts;
    assert_int_equal(herald_json_write(&sample_v1_kinds_schema, &kinds.base, NULL, &json, &error), HERALD_OK);
    assert_string_equal(json, "{\"aString\":\"~\\u007f\\u0080\\u009b2J\\u009f\xc2\xa0é한\\u007f\",\"strings\":["
                              "\"~\\u007f\\u0080\\u009b2J\\u009f\xc2\xa0é한\\u007f\"]}");
    Sample__V1__Kinds *back = read_kinds(json, NULL);
    assert_string_equal(back->a_string, text);
    protobuf_c_message_free_unpacked(&back->base, NULL);
    free(json);
    back = read_kinds("{\"aString\":\"~\x7f\xc2\x80\xc2\x9b"
                      "2J\xc2\x9f\xc2\xa0é한\x7f\"}",
                      NULL);
    assert_string_equal(back->a_string, text); /* raw they are read: JSON allows it */
    protobuf_c_message_free_unpacked(&back->base, NULL);
}

static void test_json_unknown_names_are_refused_with_path_or_ignored_by_option(void **state) {
    (void)state;
    static const char json[] = "{\"what\":{\"a\":[1,\"}]\\\"\",{\"b\":null}]},\"things\":[{},{\"thingIdd\":-1.5e3,"
                               "\"percent\":7,\"é\":true}],\"aBool\":true}";
    const struct herald_json_read_options options = {.ignore_unknown = true};
    assert_refused(json, NULL, HERALD_INVALID_ARGUMENT, "what",
                   "no such field in sample.v1.Kinds; its fields are aDouble");
    assert_refused("{\"things\":[{},{\"thingIdd\":1}]}", NULL, HERALD_INVALID_ARGUMENT, "things[1].thingIdd",
                   "did you mean \"thingId\"?");
    Sample__V1__Kinds *kinds = read_kinds(json, &options);
    assert_true(kinds->a_bool);
    assert_int_equal(kinds->n_things, 2);
    assert_int_equal(kinds->things[1]->percent, 7);
    protobuf_c_message_free_unpacked(&kinds->base, NULL);
    assert_refused("{\"what\":{]}", &options, HERALD_INVALID_ARGUMENT, "", "line 1, column 10");
    assert_refused("{\"aColour\":\"PINK\"}", &options, HERALD_INVALID_ARGUMENT, "aColour", "ULTRAVIOLET");
}

static void test_json_name_longer_than_any_field_is_refused(void **state) {
    (void)state;
    char json[400] = "{\"aString";
    memset(json + 9, 'x', 300);
    strcpy(json + 309, "\":1}");
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(herald_json_read(&sample_v1_kinds_schema, json, strlen(json), NULL, NULL, &message, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_memory_equal(error.details[0].field, "aStringxxx", 10);
}

static void test_json_longer_than_allowed_is_refused(void **state) {
    (void)state;
    static const char json[] = "{\"aBool\":true}";
    struct herald_json_read_options options = {.max_bytes = sizeof(json) - 1};
    Sample__V1__Kinds *kinds = read_kinds(json, &options);
    protobuf_c_message_free_unpacked(&kinds->base, NULL);
    options.max_bytes--;
    assert_refused(json, &options, HERALD_RESOURCE_EXHAUSTED, "", "its JSON has 14 bytes; at most 13 are read");
}

/* Three characters an item that takes a hundred times as much memory. */
static void test_json_amplification_is_refused(void **state) {
    (void)state;
    enum { ITEMS = 20000 };
    char *json = malloc(3 * ITEMS + 32), *to = stpcpy(json, "{\"things\":[{}");
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    for (int i = 1; i < ITEMS; i++) {
        to = stpcpy(to, ",{}");
    }
    to = stpcpy(to, "]}");
    assert_int_equal(herald_json_read(&sample_v1_kinds_schema, json, (size_t)(to - json), NULL, NULL, &message, &error),
                     HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "PAYLOAD_TOO_COMPLEX");
    assert_null(message);
    free(json);
}

/* Long lists and texts, both ways: a step that looks back at what was read would take minutes here. */
static void test_json_of_megabytes_survives_round_trip(void **state) {
    (void)state;
    enum { ITEMS = 100000, TEXT_BYTES = 3000000 };
    Sample__V1__Kinds kinds = SAMPLE__V1__KINDS__INIT;
    char *json = NULL, *text = malloc(TEXT_BYTES + 1);
    struct herald_error error;
    kinds.n_strings = kinds.n_int64s = ITEMS;
    kinds.strings = malloc(ITEMS * sizeof(char *));
    kinds.int64s = malloc(ITEMS * sizeof(int64_t));
    for (int i = 0; i < ITEMS; i++) {
        kinds.strings[i] = (char *)(i % 2 ? "한글 \"quoted\"\n" : "");
        kinds.int64s[i] = INT64_MAX - i;
    }
    for (int i = 0; i < TEXT_BYTES; i++) {
        text[i] = i % 3 ? '\n' : 'x';
    }
    text[TEXT_BYTES] = '\0';
    kinds.a_string = text;
    kinds.some_bytes = (ProtobufCBinaryData){.len = TEXT_BYTES, .data = (uint8_t *)text};
    assert_int_equal(herald_json_write(&sample_v1_kinds_schema, &kinds.base, NULL, &json, &error), HERALD_OK);
    Sample__V1__Kinds *back = read_kinds(json, NULL);
    assert_int_equal(back->n_strings, ITEMS);
    assert_string_equal(back->strings[ITEMS - 1], kinds.strings[ITEMS - 1]);
    assert_true(back->int64s[ITEMS - 1] == kinds.int64s[ITEMS - 1]);
    assert_string_equal(back->a_string, text);
    assert_memory_equal(back->some_bytes.data, text, TEXT_BYTES);
    protobuf_c_message_free_unpacked(&back->base, NULL);
    free(json);
    free(text);
    free(kinds.strings);
    free(kinds.int64s);
}

static void test_json_random_kinds_survive_round_trip(void **state) {
    (void)state;
    uint64_t seed = 17;
    for (int round = 0; round < 500; round++) {
        ProtobufCMessage *message = random_message(&sample_v1_kinds_schema, &seed), *back = NULL;
        char *json = NULL;
        struct herald_error error;
        size_t bytes = protobuf_c_message_get_packed_size(message);
        uint8_t *one = malloc(bytes + 1), *other = malloc(bytes + 1);
        assert_int_equal(herald_json_write(&sample_v1_kinds_schema, message, NULL, &json, &error), HERALD_OK);
        assert_int_equal(herald_json_read(&sample_v1_kinds_schema, json, strlen(json), NULL, NULL, &back, &error),
                         HERALD_OK);
        assert_int_equal(protobuf_c_message_get_packed_size(back), bytes);
        protobuf_c_message_pack(message, one);
        protobuf_c_message_pack(back, other);
        assert_memory_equal(one, other, bytes);
        protobuf_c_message_free_unpacked(message, NULL);
        protobuf_c_message_free_unpacked(back, NULL);
        free(json);
        free(one);
        free(other);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_doubles_are_written_with_the_digits_they_need),
        cmocka_unit_test(test_json_oneof_is_written_when_set_even_to_zero),
        cmocka_unit_test(test_json_enum_below_zero_and_alias),
        cmocka_unit_test(test_json_read_of_two_members_of_a_oneof_is_refused),
        cmocka_unit_test(test_json_random_things_survive_round_trip),
        cmocka_unit_test(test_json_whole_numbers_are_read_exactly_however_written),
        cmocka_unit_test(test_json_numbers_that_do_not_fit_are_refused),
        cmocka_unit_test(test_json_empty_text_of_a_oneof_is_packed),
        cmocka_unit_test(test_json_null_in_a_oneof_leaves_it_open),
        cmocka_unit_test(test_json_escapes_are_decoded),
        cmocka_unit_test(test_json_controls_beyond_ascii_are_escaped),
        cmocka_unit_test(test_json_unknown_names_are_refused_with_path_or_ignored_by_option),
        cmocka_unit_test(test_json_name_longer_than_any_field_is_refused),
        cmocka_unit_test(test_json_longer_than_allowed_is_refused),
        cmocka_unit_test(test_json_amplification_is_refused),
        cmocka_unit_test(test_json_of_megabytes_survives_round_trip),
        cmocka_unit_test(test_json_random_kinds_survive_round_trip),
        cmocka_unit_test(test_validate_thing_names_every_violation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
