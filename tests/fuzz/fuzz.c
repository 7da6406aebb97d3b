#include "tests/fuzz/fuzz.h"

#include "herald/json.h"
#include "herald/unpack.h"
#include "herald/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void fuzz_require(bool holds, const char *claim) {
    if (holds) {
        return;
    }
    fprintf(stderr, "broken claim: %s\n", claim);
    abort();
}

const char *fuzz_file(const uint8_t *data, size_t bytes) {
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzzed", 0);
        fuzz_require(fd >= 0 && fchmod(fd, 0600) == 0, "there is a file");
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    fuzz_require(ftruncate(fd, 0) == 0 && pwrite(fd, data, bytes, 0) == (ssize_t)bytes, "the file can be written");
    return path;
}

/* ---- choosing ---- */

size_t fuzz_method_count(void) {
    size_t count = 0;
    for (size_t file = 0; file < herald_schema_count; file++) {
        for (size_t i = 0; i < herald_schemas[file]->service_count; i++) {
            count += herald_schemas[file]->services[i]->method_count;
        }
    }
    return count;
}

const struct herald_method_schema *fuzz_method(size_t index) {
    for (size_t file = 0; file < herald_schema_count; file++) {
        for (size_t i = 0; i < herald_schemas[file]->service_count; i++) {
            const struct herald_service_schema *service = herald_schemas[file]->services[i];
            if (index < service->method_count) {
                return &service->methods[index];
            }
            index -= service->method_count;
        }
    }
    abort(); /* callers stay below the count */
}

size_t fuzz_type_count(void) {
    return 2 + 2 * fuzz_method_count();
}

const struct herald_message_schema *fuzz_type(size_t index) {
    if (index < 2) {
        return herald_schema_find_message(index == 0 ? "herald.rpc.v1.Request" : "herald.rpc.v1.Response");
    }
    const struct herald_method_schema *method = fuzz_method((index - 2) / 2);
    return index % 2 == 0 ? method->request : method->response;
}

const struct herald_message_schema *fuzz_take_type(const uint8_t **data, size_t *bytes) {
    if (*bytes == 0) {
        return NULL;
    }
    --*bytes;
    return fuzz_type(*(*data)++ % fuzz_type_count());
}

const struct herald_method_schema *fuzz_take_method(const uint8_t **data, size_t *bytes) {
    if (*bytes == 0) {
        return NULL;
    }
    --*bytes;
    return fuzz_method(*(*data)++ % fuzz_method_count());
}

/* ---- claims ---- */

struct packed {
    uint8_t *data;
    size_t bytes;
};

static struct packed pack(const ProtobufCMessage *message) {
    struct packed packed = {.bytes = protobuf_c_message_get_packed_size(message)};
    packed.data = malloc(packed.bytes + 1);
    fuzz_require(packed.data != NULL, "there is memory");
    fuzz_require(protobuf_c_message_pack(message, packed.data) == packed.bytes, "the packed size is as announced");
    return packed;
}

static ProtobufCMessage *unpack(const struct herald_message_schema *schema, const struct packed *packed) {
    struct herald_error error;
    ProtobufCMessage *message = NULL;
    if (herald_unpack(schema, NULL, packed->data, packed->bytes, &message, &error) != HERALD_OK) {
        fprintf(stderr, "%s: %s\n", schema->full_name, error.message);
        fuzz_require(false, "what was accepted and packed is accepted again");
    }
    return message;
}

/* NULL: it has no JSON, which only a message that breaks its rules may have. */
static char *write_json(const struct herald_message_schema *schema, const ProtobufCMessage *message) {
    struct herald_error error;
    char *json = NULL;
    if (herald_json_write(schema, message, NULL, &json, &error) == HERALD_OK) {
        return json;
    }
    fuzz_require(error.code == HERALD_INVALID_ARGUMENT, "JSON is refused for the message's sake only");
    return NULL;
}

static ProtobufCMessage *read_json(const struct herald_message_schema *schema, const char *json) {
    struct herald_error error;
    ProtobufCMessage *message = NULL;
    if (herald_json_read(schema, json, strlen(json), NULL, NULL, &message, &error) != HERALD_OK) {
        fprintf(stderr, "%s: %s\n%s\n", schema->full_name, json, error.message);
        fuzz_require(false, "the JSON that we write is JSON that we read");
    }
    return message;
}

/* Fields that the schema does not know are lost in JSON; from the first JSON on nothing may change any more. */
static void check_json(const struct herald_message_schema *schema, const char *json) {
    ProtobufCMessage *reread = read_json(schema, json);
    struct packed first = pack(reread);
    ProtobufCMessage *unpacked = unpack(schema, &first);
    char *json_again = write_json(schema, unpacked);
    fuzz_require(json_again && strcmp(json, json_again) == 0, "JSON → binary → JSON changes nothing");
    ProtobufCMessage *last = read_json(schema, json_again);
    struct packed second = pack(last);
    fuzz_require(first.bytes == second.bytes && memcmp(first.data, second.data, first.bytes) == 0,
                 "binary → JSON → binary changes nothing");
    protobuf_c_message_free_unpacked(last, NULL);
    protobuf_c_message_free_unpacked(unpacked, NULL);
    protobuf_c_message_free_unpacked(reread, NULL);
    free(json_again);
    free(first.data);
    free(second.data);
}

static void check_binary(const struct herald_message_schema *schema, const ProtobufCMessage *message) {
    struct packed first = pack(message);
    ProtobufCMessage *again = unpack(schema, &first);
    struct packed second = pack(again);
    fuzz_require(first.bytes == second.bytes && memcmp(first.data, second.data, first.bytes) == 0,
                 "binary → message → binary changes nothing");
    protobuf_c_message_free_unpacked(again, NULL);
    free(first.data);
    free(second.data);
}

void fuzz_check_message(const struct herald_message_schema *schema, const ProtobufCMessage *message) {
    struct herald_error error;
    bool valid = herald_validate(schema, message, &error) == HERALD_OK;
    fuzz_require(valid || (error.code == HERALD_INVALID_ARGUMENT && error.detail_count > 0),
                 "a message that is refused is refused with details");
    fuzz_require(protobuf_c_message_check(message), "what was accepted can be packed");
    check_binary(schema, message);
    char *json = write_json(schema, message);
    fuzz_require(json || !valid, "what keeps its rules has JSON");
    if (json) {
        check_json(schema, json);
    }
    free(json);
}

int fuzz_check_reading(fuzz_read_fn *read, const uint8_t *data, size_t bytes) {
    struct herald_error error;
    ProtobufCMessage *message = NULL;
    const struct herald_message_schema *schema = fuzz_take_type(&data, &bytes);
    if (!schema) {
        return -1;
    }
    if (read(schema, data, bytes, &message, &error) != HERALD_OK) {
        fuzz_require(message == NULL, "outputs stay as they are on failure");
        fuzz_require(error.code == HERALD_INVALID_ARGUMENT || error.code == HERALD_RESOURCE_EXHAUSTED,
                     "what is refused is wrong or too large");
        fuzz_require(error.message[0] != '\0', "a refusal says why");
        return 0;
    }
    fuzz_check_message(schema, message);
    protobuf_c_message_free_unpacked(message, NULL);
    return 0;
}
