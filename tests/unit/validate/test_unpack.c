#include "google/protobuf/descriptor.pb-c.h"
#include "herald/event/v1/event.pb-c.h"
#include "herald/event/v1/event.schema.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "herald/rpc/v1/envelope.schema.h"
#include "herald/rpc/v1/introspection.schema.h"
#include "herald/unpack.h"
#include "tests/unit/json/random_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_malformed(const struct herald_message_schema *schema, const void *bytes, size_t count,
                             const char *field) {
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(herald_unpack(schema, NULL, bytes, count, &message, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "MALFORMED_PAYLOAD");
    assert_int_equal(error.detail_count, 1);
    assert_string_equal(error.details[0].field, field);
    assert_null(message);
    assert_int_equal(herald_unpack(schema, NULL, bytes, count, NULL, &error), HERALD_INVALID_ARGUMENT);
}

static void test_unpack_random_messages_of_all_types_survive(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (size_t f = 0; f < herald_schema_count; f++) {
        for (size_t m = 0; m < herald_schemas[f]->message_count * 20; m++) {
            const struct herald_message_schema *schema = herald_schemas[f]->messages[m / 20];
            ProtobufCMessage *message = random_message(schema, &seed);
            size_t count = protobuf_c_message_get_packed_size(message);
            uint8_t *bytes = malloc(count + 1);
            uint8_t *again = malloc(count + 1);
            protobuf_c_message_pack(message, bytes);
            ProtobufCMessage *back = NULL;
            struct herald_error error;
            assert_int_equal(herald_unpack(schema, NULL, bytes, count, &back, &error), HERALD_OK);
            assert_int_equal(herald_unpack(schema, NULL, bytes, count, NULL, &error), HERALD_OK); /* only checked */
            assert_int_equal(protobuf_c_message_pack(back, again), count);
            assert_memory_equal(bytes, again, count);
            protobuf_c_message_free_unpacked(message, NULL);
            protobuf_c_message_free_unpacked(back, NULL);
            free(bytes);
            free(again);
        }
    }
}

/* Whatever the walk lets pass, protobuf-c reads too, and what comes out is in order. */
static void test_unpack_damaged_bytes_are_read_or_refused(void **state) {
    (void)state;
    uint64_t seed = 11;
    int read = 0, refused = 0;
    for (int round = 0; round < 20000; round++) {
        ProtobufCMessage *message = random_message(&herald_event_v1_event_draft_schema, &seed);
        size_t count = protobuf_c_message_get_packed_size(message);
        uint8_t *bytes = malloc(count + 1);
        protobuf_c_message_pack(message, bytes);
        protobuf_c_message_free_unpacked(message, NULL);
        for (uint64_t i = random_next(&seed) % 4; count > 0 && i > 0; i--) {
            bytes[random_next(&seed) % count] = (uint8_t)random_next(&seed);
        }
        if (random_next(&seed) % 4 == 0) {
            count = (size_t)(random_next(&seed) % (count + 1));
        }
        ProtobufCMessage *back = NULL;
        struct herald_error error;
        enum herald_code code = herald_unpack(&herald_event_v1_event_draft_schema, NULL, bytes, count, &back, &error);
        free(bytes);
        read += code == HERALD_OK;
        refused += code == HERALD_INVALID_ARGUMENT;
        if (back) {
            protobuf_c_message_free_unpacked(back, NULL);
        }
    }
    assert_int_equal(read + refused, 20000);
    assert_true(read > 1000 && refused > 1000);
}

static void test_unpack_empty_bytes_give_defaults(void **state) {
    (void)state;
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(herald_unpack(&herald_rpc_v1_request_schema, NULL, NULL, 0, &message, &error), HERALD_OK);
    assert_string_equal(((Herald__Rpc__V1__Request *)message)->method, "");
    protobuf_c_message_free_unpacked(message, NULL);
}

static void test_unpack_unknown_fields_are_allowed(void **state) {
    (void)state;
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(herald_unpack(&herald_rpc_v1_request_schema, NULL, (const uint8_t *)"\xa2\x06\x02\xff\xff", 5,
                                   &message, &error),
                     HERALD_OK);
    assert_int_equal(message->n_unknown_fields, 1);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void test_unpack_broken_framing_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *field; /* where it is one that is known */
    } cases[] = {
        {"\x0a", 1, "method"}, /* a tag alone */
        {"\x0a\x05"
         "abcd",
         6, "method"},                                                         /* a text cut off */
        {"\x32\x02\x0a\x05", 4, "metadata[0].key"},                            /* the same, inside another message */
        {"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "timeoutMs"}, /* a varint of 11 bytes */
        {"\x0a\xff\xff\xff\xff\x0f", 6, "method"},                             /* a length of 4 GiB */
        {"\x0b\x0c", 2, "method"},                                             /* a group */
        {"\x0f", 1, "method"},                                                 /* wire type 7 */
        {"\xa2\x06\x05", 3, ""},                                               /* an unknown field cut off */
        {"\x02\x00", 2, ""},                                                   /* field number 0 */
        {"\x8a\x80\x80\x80\x80\x80\x01\x00", 8, ""},                           /* a tag of 7 bytes */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_malformed(&herald_rpc_v1_request_schema, cases[i].bytes, cases[i].count, cases[i].field);
    }
}

static void test_unpack_wrong_wire_type_names_field(void **state) {
    (void)state;
    assert_malformed(&herald_rpc_v1_request_schema, "\x08\x01", 2, "method");
    assert_malformed(&herald_rpc_v1_request_schema,
                     "\x1a\x01"
                     "a",
                     3, "timeoutMs");
}

static void test_unpack_bad_text_names_field(void **state) {
    (void)state;
    assert_malformed(&herald_rpc_v1_request_schema,
                     "\x0a\x03"
                     "a\0b",
                     5, "method");
    assert_malformed(&herald_rpc_v1_request_schema, "\x0a\x02\xc3\x28", 4, "method");
    /* The second of two pairs. */
    assert_malformed(&herald_rpc_v1_request_schema, "\x32\x03\x0a\x01k\x0a\x01m\x32\x03\x0a\x01\xff", 13,
                     "metadata[1].key");
}

static void test_unpack_packed_list_is_checked(void **state) {
    (void)state;
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    /* selected_channels = 13 of EventDraft */
    assert_malformed(&herald_event_v1_event_draft_schema, "\x6a\x02\x01\x80", 4, "selectedChannels[0]");
    assert_int_equal(herald_unpack(&herald_event_v1_event_draft_schema, NULL,
                                   (const uint8_t *)"\x6a\x02\x01\x02\x68\x03", 6, &message, &error),
                     HERALD_OK);
    assert_int_equal(((Herald__Event__V1__EventDraft *)message)->n_selected_channels, 3);
    protobuf_c_message_free_unpacked(message, NULL);
}

/* A recursive type, which our schemas may not have: DescriptorProto, whose nested_type = 3 is its third field. */
static const struct herald_message_schema recursive_schema;
static const struct herald_field_schema recursive_fields[10] = {
    [2] = {.json_name = "nestedType", .message = &recursive_schema},
};
static const struct herald_message_schema recursive_schema = {
    .full_name = "google.protobuf.DescriptorProto",
    .descriptor = &google__protobuf__descriptor_proto__descriptor,
    .fields = recursive_fields,
};

static void test_unpack_nested_too_deep_is_refused(void **state) {
    (void)state;
    uint8_t bytes[4096];
    uint8_t *at = bytes + sizeof(bytes);
    size_t count = 0;
    for (int depth = 0; depth < 1000; depth++) {
        uint8_t head[3] = {0x1a};
        size_t head_bytes = 2;
        head[1] = (uint8_t)count;
        if (count >= 128) {
            head[1] = (uint8_t)(count | 0x80);
            head[2] = (uint8_t)(count >> 7);
            head_bytes = 3;
        }
        at -= head_bytes;
        memcpy(at, head, head_bytes);
        count += head_bytes;
    }
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(herald_unpack(&recursive_schema, NULL, at, count, &message, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "MALFORMED_PAYLOAD");
    assert_non_null(strstr(error.message, "too deep"));
    assert_null(message);
}

/* An allocator that counts. */
struct counting {
    size_t bytes;
};

static void *counting_alloc(void *user, size_t bytes) {
    ((struct counting *)user)->bytes += bytes;
    return malloc(bytes);
}

static void counting_free(void *user, void *piece) {
    (void)user;
    free(piece);
}

static void test_unpack_amplification_is_refused_before_allocating(void **state) {
    (void)state;
    enum { BYTES = 256 * 1024 };
    struct counting counting = {0};
    ProtobufCAllocator allocator = {.alloc = counting_alloc, .free = counting_free, .allocator_data = &counting};
    uint8_t *bytes = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i += 2) {
        memcpy(bytes + i, "\x0a\x00", 2); /* methods = 1 of GetStatsResponse, each empty */
    }
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(
        herald_unpack(&herald_rpc_v1_get_stats_response_schema, &allocator, bytes, BYTES, &message, &error),
        HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "PAYLOAD_TOO_COMPLEX");
    assert_int_equal(counting.bytes, 0);
    assert_null(message);
    free(bytes);
}

static void *no_alloc(void *user, size_t bytes) {
    (void)user, (void)bytes;
    return NULL;
}

static void test_unpack_without_memory_is_resource_exhausted(void **state) {
    (void)state;
    ProtobufCAllocator allocator = {.alloc = no_alloc, .free = counting_free};
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(herald_unpack(&herald_rpc_v1_request_schema, &allocator, NULL, 0, &message, &error),
                     HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "OUT_OF_MEMORY");
    assert_null(message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack_random_messages_of_all_types_survive),
        cmocka_unit_test(test_unpack_damaged_bytes_are_read_or_refused),
        cmocka_unit_test(test_unpack_empty_bytes_give_defaults),
        cmocka_unit_test(test_unpack_unknown_fields_are_allowed),
        cmocka_unit_test(test_unpack_broken_framing_is_refused),
        cmocka_unit_test(test_unpack_wrong_wire_type_names_field),
        cmocka_unit_test(test_unpack_bad_text_names_field),
        cmocka_unit_test(test_unpack_packed_list_is_checked),
        cmocka_unit_test(test_unpack_nested_too_deep_is_refused),
        cmocka_unit_test(test_unpack_amplification_is_refused_before_allocating),
        cmocka_unit_test(test_unpack_without_memory_is_resource_exhausted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
