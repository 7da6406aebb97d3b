/*
 * The generated code of the sample schemas, compiled as it comes: tables against protoc-c's descriptors, stubs and
 * thunks against calls and handlers that this test stands in for.
 */
#include "google/protobuf/descriptor.pb-c.h"
#include "sample/v1/service.client.h"
#include "sample/v1/service.server.h"
#include "sample/v1/service.task.h"
#include "sample/v1/types.schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct herald_file_schema *const files[] = {&sample_v1_types_file, &sample_v1_service_file};
#define FILE_COUNT (sizeof(files) / sizeof(files[0]))

/* What the last call under a stub was given, and what it gives back. */
static struct {
    const struct herald_method_schema *method;
    const ProtobufCMessage *request;
    const void *options;
    enum herald_code code;
    ProtobufCMessage *response;
} last_call;

enum herald_code herald_call(struct herald_channel *channel, const struct herald_method_schema *method,
                             const ProtobufCMessage *request, const struct herald_call_options *options,
                             struct herald_reply *ret_reply) {
    assert_null(channel);
    last_call.method = method;
    last_call.request = request;
    last_call.options = options;
    ret_reply->message = last_call.response;
    return last_call.code;
}

enum herald_code herald_call_start(struct herald_channel *channel, const struct herald_method_schema *method,
                                   const ProtobufCMessage *request, const struct herald_call_options *options,
                                   herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                   struct herald_error *reterr) {
    assert_null(channel);
    last_call.method = method;
    last_call.request = request;
    last_call.options = options;
    struct herald_reply reply = {.message = last_call.response};
    if (done != NULL) {
        done(user, &reply);
    }
    *ret_call = NULL;
    reterr->code = last_call.code;
    return last_call.code;
}

TASK_FN enum herald_code remote_call(struct herald_channel *channel, const struct herald_method_schema *method,
                                     const ProtobufCMessage *request, const struct remote_options *options,
                                     enum herald_outcome *ret_outcome, ProtobufCMessage **ret_response,
                                     struct herald_error *reterr) {
    assert_null(channel);
    last_call.method = method;
    last_call.request = request;
    last_call.options = options;
    *ret_outcome = HERALD_EXECUTED;
    if (last_call.code == HERALD_OK) {
        *ret_response = last_call.response;
    } else {
        reterr->code = last_call.code;
    }
    return last_call.code;
}

enum herald_code herald_error_set(struct herald_error *reterr, enum herald_reason reason, const char *format, ...) {
    static const struct {
        enum herald_code code;
        const char *word;
    } rows[] = {{HERALD_OK, ""},
#define REASON_ROW(name, number, code, stage, meaning) [number] = {HERALD_##code, #name},
                HERALD_REASONS(REASON_ROW)
#undef REASON_ROW
    };
    va_list args;
    va_start(args, format);
    reterr->code = rows[reason].code;
    vsnprintf(reterr->message, sizeof(reterr->message), format, args);
    snprintf(reterr->reason, sizeof(reterr->reason), "%s", rows[reason].word);
    va_end(args);
    return reterr->code;
}

/* The last call held addresses of a test's own variables. */
static void forget_last_call(void) {
    memset(&last_call, 0, sizeof(last_call));
}

static void check_message_table(const struct herald_file_schema *file, const struct herald_message_schema *message) {
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    assert_ptr_equal(message->file, file);
    assert_string_equal(message->full_name, descriptor->name);
    assert_true(message->doc[0] != '\0');
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const struct herald_field_schema *field = &message->fields[i];
        assert_true(field->doc[0] != '\0');
        if (i > 0) {
            assert_true(descriptor->fields[i - 1].id < descriptor->fields[i].id);
        }
        if (descriptor->fields[i].type == PROTOBUF_C_TYPE_MESSAGE) {
            assert_ptr_equal(field->message->descriptor, descriptor->fields[i].descriptor);
        } else {
            assert_null(field->message);
        }
        if (descriptor->fields[i].type == PROTOBUF_C_TYPE_ENUM) {
            assert_ptr_equal(field->enumeration->descriptor, descriptor->fields[i].descriptor);
        } else {
            assert_null(field->enumeration);
        }
    }
}

static void test_message_tables_beside_descriptors_are_parallel(void **state) {
    (void)state;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        for (size_t j = 0; j < files[i]->message_count; j++) {
            check_message_table(files[i], files[i]->messages[j]);
        }
    }
}

static const struct herald_field_schema *field_of(const struct herald_message_schema *message, const char *name) {
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    assert_non_null(field);
    return &message->fields[field - message->descriptor->fields];
}

static void test_field_tables_by_protobuf_name_hold_that_fields_facts(void **state) {
    (void)state;
    const struct herald_message_schema *thing = &sample_v1_thing_schema;
    assert_string_equal(field_of(thing, "last_name")->json_name, "lastName");
    assert_string_equal(field_of(thing, "last_name")->doc, "Last in number, first in the file.");
    assert_true(field_of(thing, "last_name")->rules.required);
    assert_int_equal(field_of(thing, "last_name")->rules.max_len, 60);
    assert_string_equal(field_of(thing, "points")->json_name, "bonusPoints");
    assert_int_equal(field_of(thing, "thing_id")->rules.format, HERALD_FORMAT_UUID);
    assert_true(field_of(thing, "thing_id")->rules.required);
    assert_true(field_of(thing, "lowest")->rules.min == INT64_MIN);
    assert_int_equal(field_of(thing, "lowest")->rules.max, -1);
    assert_int_equal(field_of(thing, "percent")->rules.max, 100);
    assert_int_equal(field_of(thing, "link_url")->rules.format, HERALD_FORMAT_URL);
    assert_int_equal(field_of(thing, "paint")->rules.format, HERALD_FORMAT_COLOR);
    assert_int_equal(field_of(thing, "key")->rules.format, HERALD_FORMAT_TOKEN);
    assert_int_equal(field_of(thing, "colour")->rules.format, HERALD_FORMAT_ANY);
    const struct herald_field_schema *parts = field_of(&sample_v1_thing_part_list_schema, "parts");
    assert_int_equal(parts->rules.max_items, 8);
    assert_int_equal(parts->rules.min_len, 2);
    assert_string_equal(thing->doc, "A block comment, with \"quotes\", a back\\slash, a trigraph ?\?/ and the end of a "
                                    "comment in the middle: * /.\n\n한글 설명: 우리동네TV.");
}

static const char *doc_of(const struct herald_enum_schema *enumeration, int number) {
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(enumeration->descriptor, number);
    assert_non_null(value);
    return enumeration->value_docs[value - enumeration->descriptor->values];
}

static void test_enum_tables_with_aliases_and_negatives_are_parallel(void **state) {
    (void)state;
    assert_int_equal(sample_v1_colour_schema.descriptor->n_values, 4);
    assert_string_equal(doc_of(&sample_v1_colour_schema, -3), "Below zero.");
    assert_string_equal(doc_of(&sample_v1_colour_schema, 0), "Not known.");
    assert_string_equal(doc_of(&sample_v1_colour_schema, 2), "Documented behind.");
    assert_string_equal(doc_of(&sample_v1_colour_schema, 7), "Written later, numbered earlier.");
    assert_string_equal(sample_v1_thing_part_list_order_schema.full_name, "sample.v1.Thing.PartList.Order");
}

static void test_enum_values_have_names(void **state) {
    (void)state;
    assert_string_equal(sample_v1_colour_name(SAMPLE__V1__COLOUR__ULTRAVIOLET), "ULTRAVIOLET");
    assert_string_equal(sample_v1_colour_name(SAMPLE__V1__COLOUR__GREEN), "GREEN");
    assert_string_equal(sample_v1_colour_name((Sample__V1__Colour)12345), "UNRECOGNIZED");
    assert_string_equal(sample_v1_thing_part_list_order_name(SAMPLE__V1__THING__PART_LIST__ORDER__BY_NAME), "BY_NAME");
}

static void test_method_tables_hold_the_policies(void **state) {
    (void)state;
    const struct herald_service_schema *service = &sample_v1_thing_service_schema;
    assert_int_equal(service->method_count, 3);
    assert_string_equal(service->doc, "Keeps things.\n\nA second paragraph.");
    assert_ptr_equal(sample_v1_thing_service_put_thing_method, &service->methods[1]);
    assert_string_equal(service->methods[0].full_name, "sample.v1.ThingService/GetThing");
    assert_int_equal(service->methods[0].effect, HERALD_EFFECT_READ);
    assert_int_equal(service->methods[0].deadline_ms, 1);
    assert_int_equal(service->methods[0].caller, HERALD_CALLER_ANYONE);
    assert_true(service->methods[0].answer_inline);
    assert_int_equal(service->methods[1].effect, HERALD_EFFECT_IDEMPOTENT);
    assert_int_equal(service->methods[1].deadline_ms, 600000);
    assert_int_equal(service->methods[1].caller, HERALD_CALLER_IDENTIFIED);
    assert_ptr_equal(service->methods[1].request, &sample_v1_thing_schema);
    assert_ptr_equal(service->methods[1].response, &sample_v1_nothing_schema);
    assert_int_equal(service->methods[2].effect, HERALD_EFFECT_ONCE);
    assert_false(service->methods[2].answer_inline);
    assert_int_equal(service->methods[0].reason_count, 0);
    assert_int_equal(service->methods[1].reason_count, 2);
    assert_int_equal(service->methods[1].reasons[0], HERALD_REASON_EVENT_NOT_FOUND);
    assert_int_equal(service->methods[1].reasons[1], HERALD_REASON_WRONG_STATE);
    assert_int_equal(service->methods[2].reason_count, 4);
    assert_int_equal(sample_v1_idle_service_schema.method_count, 0);
}

static void test_embedded_descriptor_unpacked_is_the_file_without_comments(void **state) {
    (void)state;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        Google__Protobuf__FileDescriptorProto *file =
            google__protobuf__file_descriptor_proto__unpack(NULL, files[i]->descriptor_bytes, files[i]->descriptor);
        assert_non_null(file);
        assert_string_equal(file->name, files[i]->name);
        assert_string_equal(file->package, files[i]->package);
        assert_string_equal(file->syntax, "proto3");
        assert_null(file->source_code_info);
        assert_int_equal(file->n_dependency, files[i]->dependency_count);
        for (size_t j = 0; j < file->n_dependency; j++) {
            assert_string_equal(file->dependency[j], files[i]->dependencies[j]->name);
        }
        google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
    }
}

static void test_embedded_descriptor_of_a_service_keeps_our_options(void **state) {
    (void)state;
    Google__Protobuf__FileDescriptorProto *file = google__protobuf__file_descriptor_proto__unpack(
        NULL, sample_v1_service_file.descriptor_bytes, sample_v1_service_file.descriptor);
    assert_non_null(file);
    const Google__Protobuf__MethodOptions *options = file->service[0]->method[0]->options;
    assert_int_equal(options->base.n_unknown_fields, 1);
    assert_int_equal(options->base.unknown_fields[0].tag, 50001);
    google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
}

static void test_message_packed_and_unpacked_through_the_table_is_the_same(void **state) {
    (void)state;
    Sample__V1__Thing thing = SAMPLE__V1__THING__INIT;
    thing.thing_id = (char *)"0190a0a0-0000-7000-8000-000000000001";
    thing.last_name = (char *)"우리동네";
    thing.colour = SAMPLE__V1__COLOUR__ULTRAVIOLET;
    thing.lowest = INT64_MIN;
    thing.price_case = SAMPLE__V1__THING__PRICE_POINTS;
    thing.points = UINT64_MAX;
    uint8_t bytes[256];
    assert_true(protobuf_c_message_get_packed_size(&thing.base) <= sizeof(bytes));
    size_t count = protobuf_c_message_pack(&thing.base, bytes);
    ProtobufCMessage *again = protobuf_c_message_unpack(sample_v1_thing_schema.descriptor, NULL, count, bytes);
    assert_non_null(again);
    const Sample__V1__Thing *read = (const Sample__V1__Thing *)again;
    assert_string_equal(read->last_name, thing.last_name);
    assert_int_equal(read->colour, SAMPLE__V1__COLOUR__ULTRAVIOLET);
    assert_true(read->lowest == INT64_MIN);
    assert_true(read->points == UINT64_MAX);
    protobuf_c_message_free_unpacked(again, NULL);
}

static void test_blocking_stub_on_ok_gives_the_typed_response(void **state) {
    (void)state;
    Sample__V1__GetThingRequest request = SAMPLE__V1__GET_THING_REQUEST__INIT;
    Sample__V1__Thing thing = SAMPLE__V1__THING__INIT;
    struct herald_call_options options = {.timeout_ms = 7};
    struct herald_reply reply = {0};
    const Sample__V1__Thing *response = NULL;
    last_call.code = HERALD_OK;
    last_call.response = &thing.base;
    assert_int_equal(sample_v1_thing_service_get_thing(NULL, &request, &options, &reply, &response), HERALD_OK);
    assert_ptr_equal(response, &thing);
    assert_ptr_equal(last_call.method, sample_v1_thing_service_get_thing_method);
    assert_ptr_equal(last_call.request, &request.base);
    assert_ptr_equal(last_call.options, &options);
}

static void test_blocking_stub_on_an_error_leaves_the_response_alone(void **state) {
    (void)state;
    Sample__V1__GetThingRequest request = SAMPLE__V1__GET_THING_REQUEST__INIT;
    Sample__V1__Thing untouched = SAMPLE__V1__THING__INIT;
    struct herald_reply reply = {0};
    const Sample__V1__Thing *response = &untouched;
    last_call.code = HERALD_NOT_FOUND;
    last_call.response = NULL;
    assert_int_equal(sample_v1_thing_service_get_thing(NULL, &request, NULL, &reply, &response), HERALD_NOT_FOUND);
    assert_ptr_equal(response, &untouched);
}

static void on_done(void *user, struct herald_reply *reply) {
    *(const ProtobufCMessage **)user = reply->message;
}

static void test_callback_stub_passes_everything_on(void **state) {
    (void)state;
    Sample__V1__Thing request = SAMPLE__V1__THING__INIT, made = SAMPLE__V1__THING__INIT;
    const ProtobufCMessage *taken = NULL;
    struct herald_call *call = NULL;
    struct herald_error error = {0};
    last_call.code = HERALD_OK;
    last_call.response = &made.base;
    assert_int_equal(sample_v1_thing_service_make_thing_with_avery_long_name_that_fills_the_line_start(
                         NULL, &request, NULL, on_done, &taken, &call, &error),
                     HERALD_OK);
    assert_ptr_equal(taken, &made.base);
    assert_ptr_equal(last_call.method,
                     sample_v1_thing_service_make_thing_with_avery_long_name_that_fills_the_line_method);
    assert_ptr_equal(last_call.request, &request.base);
}

static void test_suspending_stub_gives_the_typed_response_only_on_ok(void **state) {
    (void)state;
    Sample__V1__Thing request = SAMPLE__V1__THING__INIT;
    Sample__V1__Nothing nothing = SAMPLE__V1__NOTHING__INIT;
    const Sample__V1__Nothing *response = NULL;
    enum herald_outcome outcome = HERALD_NOT_SENT;
    struct remote_options options = {.timeout_ms = 9};
    struct herald_error error = {0};
    last_call.response = &nothing.base;
    last_call.code = HERALD_UNAVAILABLE;
    assert_int_equal(sample_v1_thing_service_put_thing_task(NULL, &request, &options, &outcome, &response, &error),
                     HERALD_UNAVAILABLE);
    assert_null(response);
    last_call.code = HERALD_OK;
    assert_int_equal(sample_v1_thing_service_put_thing_task(NULL, &request, &options, &outcome, &response, &error),
                     HERALD_OK);
    assert_ptr_equal(response, &nothing);
    assert_int_equal(outcome, HERALD_EXECUTED);
    assert_ptr_equal(last_call.method, sample_v1_thing_service_put_thing_method);
    assert_ptr_equal(last_call.options, &options);
    forget_last_call();
}

static enum herald_code get_thing(void *self, const Sample__V1__GetThingRequest *request, Sample__V1__Thing *response,
                                  struct herald_error *reterr) {
    *(int *)self += 1;
    if (request->thing_id[0] == '\0') {
        return herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "no id");
    }
    response->last_name = request->thing_id;
    return HERALD_OK;
}

static void test_binding_with_a_handler_calls_it_and_returns_its_code(void **state) {
    (void)state;
    const struct sample_v1_thing_service_handlers handlers = {.get_thing = get_thing};
    const struct herald_service_binding *binding = &sample_v1_thing_service_binding;
    Sample__V1__GetThingRequest request = SAMPLE__V1__GET_THING_REQUEST__INIT;
    Sample__V1__Thing response = SAMPLE__V1__THING__INIT;
    struct herald_error error = {0};
    int calls = 0;
    assert_ptr_equal(binding->schema, &sample_v1_thing_service_schema);
    assert_int_equal(binding->invoke[0](&handlers, &calls, &request.base, &response.base, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "INVALID_FIELD");
    request.thing_id = (char *)"7";
    assert_int_equal(binding->invoke[0](&handlers, &calls, &request.base, &response.base, &error), HERALD_OK);
    assert_string_equal(response.last_name, "7");
    assert_int_equal(calls, 2);
}

static void test_binding_without_a_handler_says_unimplemented(void **state) {
    (void)state;
    const struct sample_v1_thing_service_handlers handlers = {.get_thing = get_thing};
    Sample__V1__Thing request = SAMPLE__V1__THING__INIT;
    Sample__V1__Nothing response = SAMPLE__V1__NOTHING__INIT;
    struct herald_error error = {0};
    assert_int_equal(sample_v1_thing_service_binding.invoke[1](&handlers, NULL, &request.base, &response.base, &error),
                     HERALD_UNIMPLEMENTED);
    assert_string_equal(error.reason, "METHOD_NOT_IMPLEMENTED");
    assert_string_equal(error.message, "this server does not implement sample.v1.ThingService/PutThing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_tables_beside_descriptors_are_parallel),
        cmocka_unit_test(test_field_tables_by_protobuf_name_hold_that_fields_facts),
        cmocka_unit_test(test_enum_tables_with_aliases_and_negatives_are_parallel),
        cmocka_unit_test(test_enum_values_have_names),
        cmocka_unit_test(test_method_tables_hold_the_policies),
        cmocka_unit_test(test_embedded_descriptor_unpacked_is_the_file_without_comments),
        cmocka_unit_test(test_embedded_descriptor_of_a_service_keeps_our_options),
        cmocka_unit_test(test_message_packed_and_unpacked_through_the_table_is_the_same),
        cmocka_unit_test(test_blocking_stub_on_ok_gives_the_typed_response),
        cmocka_unit_test(test_blocking_stub_on_an_error_leaves_the_response_alone),
        cmocka_unit_test(test_callback_stub_passes_everything_on),
        cmocka_unit_test(test_suspending_stub_gives_the_typed_response_only_on_ok),
        cmocka_unit_test(test_binding_with_a_handler_calls_it_and_returns_its_code),
        cmocka_unit_test(test_binding_without_a_handler_says_unimplemented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
