/* Bytes made by hand for each kind of field of the generator's sample: what is taken, what is refused, and where. */
#include "herald/unpack.h"
#include "herald/validate.h"
#include "sample/v1/kinds.pb-c.h"
#include "sample/v1/kinds.schema.h"
#include "sample/v1/types.schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VARINT        0
#define WIRE_64       1
#define WIRE_BYTES    2
#define WIRE_32       5
#define PACKED_OFFSET 30
#define KINDS         18

/* Wire type of the fields 1 to 18, and 30 further on of the lists of them. */
static const unsigned wire_types[KINDS + 1] = {
    0,       WIRE_64, WIRE_32, VARINT, VARINT,     VARINT,     VARINT, VARINT,     VARINT,     WIRE_32,
    WIRE_64, WIRE_32, WIRE_64, VARINT, WIRE_BYTES, WIRE_BYTES, VARINT, WIRE_BYTES, WIRE_BYTES,
};

struct bytes {
    uint8_t data[128];
    size_t count;
};

static void put_varint(struct bytes *to, uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
        to->data[to->count++] = (uint8_t)(value | 0x80);
    }
    to->data[to->count++] = (uint8_t)value;
}

static void put_tag(struct bytes *to, unsigned number, unsigned wire_type) {
    put_varint(to, number << 3 | wire_type);
}

/* A value of a wire type; those with a length are empty. */
static void put_value(struct bytes *to, unsigned wire_type) {
    static const size_t counts[] = {[VARINT] = 1, [WIRE_64] = 8, [WIRE_BYTES] = 1, [WIRE_32] = 4};
    memset(to->data + to->count, 0, counts[wire_type]);
    to->count += counts[wire_type];
}

static const char *json_name(unsigned number) {
    const ProtobufCMessageDescriptor *descriptor = sample_v1_kinds_schema.descriptor;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(descriptor, number);
    return sample_v1_kinds_schema.fields[field - descriptor->fields].json_name;
}

static enum herald_code unpack(const struct bytes *bytes, Sample__V1__Kinds **ret_kinds, struct herald_error *reterr) {
    uint8_t *copy = malloc(bytes->count + 1); /* of its own size, so that a sanitizer sees a step too far */
    memcpy(copy, bytes->data, bytes->count);
    ProtobufCMessage *message = NULL;
    enum herald_code code = herald_unpack(&sample_v1_kinds_schema, NULL, copy, bytes->count, &message, reterr);
    free(copy);
    *ret_kinds = (Sample__V1__Kinds *)message;
    return code;
}

static void assert_taken(const struct bytes *bytes) {
    Sample__V1__Kinds *kinds;
    struct herald_error error;
    if (unpack(bytes, &kinds, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    protobuf_c_message_free_unpacked(&kinds->base, NULL);
}

static void assert_malformed(const struct bytes *bytes, const char *field) {
    Sample__V1__Kinds *kinds;
    struct herald_error error;
    assert_int_equal(unpack(bytes, &kinds, &error), HERALD_INVALID_ARGUMENT);
    assert_null(kinds);
    assert_string_equal(error.reason, "MALFORMED_PAYLOAD");
    assert_string_equal(error.details[0].field, field);
}

static void test_unpack_each_kind_takes_its_own_wire_type_only(void **state) {
    (void)state;
    static const unsigned all_types[] = {VARINT, WIRE_64, WIRE_BYTES, WIRE_32};
    for (unsigned number = 1; number <= KINDS; number++) {
        for (size_t i = 0; i < 4; i++) {
            struct bytes bytes = {.count = 0};
            put_tag(&bytes, number, all_types[i]);
            put_value(&bytes, all_types[i]);
            if (all_types[i] == wire_types[number]) {
                assert_taken(&bytes);
            } else {
                assert_malformed(&bytes, json_name(number));
            }
        }
    }
}

static void test_unpack_each_list_takes_its_items_packed_and_alone(void **state) {
    (void)state;
    for (unsigned number = 1; number <= KINDS; number++) {
        struct bytes bytes = {.count = 0};
        put_tag(&bytes, number + PACKED_OFFSET, wire_types[number]);
        put_value(&bytes, wire_types[number]);
        assert_taken(&bytes);
        if (wire_types[number] == WIRE_BYTES) {
            continue;
        }
        struct bytes items = {.count = 0};
        put_value(&items, wire_types[number]);
        put_value(&items, wire_types[number]);
        put_tag(&bytes, number + PACKED_OFFSET, WIRE_BYTES);
        put_varint(&bytes, items.count);
        memcpy(bytes.data + bytes.count, items.data, items.count);
        bytes.count += items.count;
        assert_taken(&bytes);
        bytes.count--;
        bytes.data[bytes.count - items.count]--; /* the last item lacks a byte */
        if (wire_types[number] == VARINT) {
            bytes.data[bytes.count - 1] = 0x80; /* and the one before it does not end */
        }
        char place[64];
        snprintf(place, sizeof(place), "%s[1]", json_name(number + PACKED_OFFSET));
        assert_malformed(&bytes, place);
    }
}

static void test_unpack_varint_of_eleven_bytes_is_refused(void **state) {
    (void)state;
    struct bytes bytes = {.count = 0};
    put_tag(&bytes, 6, VARINT);
    put_varint(&bytes, UINT64_MAX);
    assert_taken(&bytes);
    bytes.data[bytes.count - 1] = 0x81;
    bytes.data[bytes.count++] = 0;
    assert_malformed(&bytes, "aUint64");
}

/* things = 47, part_list = 3, parts = 2 */
static void test_unpack_bad_text_deep_inside_names_the_whole_path(void **state) {
    (void)state;
    static const char *const bad[] = {"a\0b", "\xff\xfe\xfd", "\xed\xa0\x80"};
    for (size_t i = 0; i < 3; i++) {
        struct bytes bytes = {.count = 0};
        put_tag(&bytes, 47, WIRE_BYTES);
        put_varint(&bytes, 0);
        put_tag(&bytes, 47, WIRE_BYTES);
        put_varint(&bytes, 10);
        put_tag(&bytes, 3, WIRE_BYTES);
        put_varint(&bytes, 8);
        put_tag(&bytes, 2, WIRE_BYTES);
        put_varint(&bytes, 1);
        bytes.data[bytes.count++] = 'a';
        put_tag(&bytes, 2, WIRE_BYTES);
        put_varint(&bytes, 3);
        memcpy(bytes.data + bytes.count, bad[i], 3);
        bytes.count += 3;
        assert_malformed(&bytes, "things[1].partList.parts[1]");
    }
}

/* The rules of what has come in, deep inside and in order of the fields. */
static void test_validate_names_whole_paths_of_each_rule(void **state) {
    (void)state;
    Sample__V1__Kinds kinds = SAMPLE__V1__KINDS__INIT;
    Sample__V1__Thing good = SAMPLE__V1__THING__INIT, bad = SAMPLE__V1__THING__INIT;
    Sample__V1__Thing__PartList list = SAMPLE__V1__THING__PART_LIST__INIT;
    Sample__V1__Thing *things[] = {&good, &bad};
    char *parts[] = {(char *)"한글", (char *)"x"};
    struct herald_error error;
    list.order = SAMPLE__V1__THING__PART_LIST__ORDER__BY_NAME;
    list.n_parts = 2;
    list.parts = parts;
    good.thing_id = (char *)"0190a0a0-0000-7000-8000-000000000001";
    good.last_name = (char *)"n";
    good.part_list = bad.part_list = &list;
    good.lowest = bad.lowest = -1;
    good.code = (char *)"AB-12";
    bad.thing_id = (char *)"0190a0a0";
    bad.colour = (Sample__V1__Colour)1;
    bad.percent = 101;
    bad.last_name = (char *)"n";
    bad.link_url = (char *)"ftp://x";
    bad.paint = (char *)"#12345";
    bad.key = (char *)"a b";
    bad.code = (char *)"AB-";
    kinds.n_things = 2;
    kinds.things = things;
    static const char *const expected[][2] = {
        {"things[0].partList.parts[1]", "TOO_SHORT"}, {"things[1].thingId", "INVALID_FORMAT"},
        {"things[1].colour", "UNKNOWN_VALUE"},        {"things[1].partList.parts[1]", "TOO_SHORT"},
        {"things[1].percent", "OUT_OF_RANGE"},        {"things[1].linkUrl", "INVALID_FORMAT"},
        {"things[1].paint", "INVALID_FORMAT"},        {"things[1].key", "INVALID_FORMAT"},
        {"things[1].code", "INVALID_FORMAT"},
    };
    assert_int_equal(herald_validate(&sample_v1_kinds_schema, &kinds.base, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < error.detail_count; i++) {
        assert_string_equal(error.details[i].field, expected[i][0]);
        assert_string_equal(error.details[i].reason, expected[i][1]);
    }
    assert_string_equal(error.details[8].message, "must match \"[A-Z]{2}(-[0-9]+)?|\\?\"\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack_each_kind_takes_its_own_wire_type_only),
        cmocka_unit_test(test_unpack_each_list_takes_its_items_packed_and_alone),
        cmocka_unit_test(test_unpack_varint_of_eleven_bytes_is_refused),
        cmocka_unit_test(test_unpack_bad_text_deep_inside_names_the_whole_path),
        cmocka_unit_test(test_validate_names_whole_paths_of_each_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
