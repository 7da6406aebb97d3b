#include "herald/json.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/json/random_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Makes the seed corpora below the folder given: for each type and method one good message. Always the same ones. */

static const char *folder;

static void write_seed(const char *target, const char *name, int first, const void *data, size_t bytes) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
    for (char *at = path + strlen(folder) + strlen(target) + 2; *at; at++) {
        *at = *at == '/' ? '-' : *at;
    }
    FILE *file = fopen(path, "wb");
    fuzz_require(file != NULL, "the seed's file can be written");
    if (first >= 0) {
        (void)fputc(first, file);
    }
    fuzz_require(fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0, "the seed can be written");
}

static uint8_t *packed(const ProtobufCMessage *message, size_t *ret_bytes) {
    *ret_bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *data = malloc(*ret_bytes + 1);
    fuzz_require(data != NULL, "there is memory");
    protobuf_c_message_pack(message, data);
    return data;
}

/* The same message in binary and in JSON, each for its target. */
static void make_type(size_t index, uint64_t *seed) {
    const struct herald_message_schema *schema = fuzz_type(index);
    ProtobufCMessage *message = random_message(schema, seed);
    struct herald_error error;
    size_t bytes;
    char *json = NULL;
    uint8_t *data = packed(message, &bytes);
    write_seed("message", schema->full_name, (int)index, data, bytes);
    if (herald_json_write(schema, message, NULL, &json, &error) == HERALD_OK) {
        write_seed("json", schema->full_name, (int)index, json, strlen(json));
    }
    free(json);
    free(data);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void make_envelope(const struct herald_method_schema *method, const uint8_t *payload, size_t payload_bytes) {
    Herald__Rpc__V1__Metadata pair = HERALD__RPC__V1__METADATA__INIT;
    Herald__Rpc__V1__Metadata *pairs[] = {&pair};
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    size_t bytes;
    pair.key = (char *)"tenant";
    request.method = (char *)method->full_name;
    request.payload = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)payload, .len = payload_bytes};
    request.timeout_ms = 1000;
    request.call_id = (char *)"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e";
    request.traceparent = (char *)"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.metadata = pairs;
    request.n_metadata = 1;
    uint8_t *data = packed(&request.base, &bytes);
    write_seed("envelope", method->full_name, -1, data, bytes);
    write_seed("server", method->full_name, -1, data, bytes);
    free(data);
}

static void make_probe(const struct herald_method_schema *method, const char *json) {
    char name[256], *text = NULL;
    snprintf(name, sizeof(name), "%s.probe", method->full_name);
    int bytes = asprintf(&text, "%s %s", method->full_name, json);
    fuzz_require(bytes > 0, "there is memory");
    write_seed("probe", name, -1, text, (size_t)bytes);
    write_seed("server", name, -1, text, (size_t)bytes);
    free(text);
}

static void make_reply(size_t index, const struct herald_method_schema *method, uint64_t *seed) {
    Herald__Rpc__V1__Response response = HERALD__RPC__V1__RESPONSE__INIT;
    ProtobufCMessage *message = random_message(method->response, seed);
    size_t bytes;
    response.payload.data = packed(message, &response.payload.len);
    uint8_t *data = packed(&response.base, &bytes);
    write_seed("reply", method->full_name, (int)index, data, bytes);
    free(data);
    free(response.payload.data);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void make_method(size_t index, uint64_t *seed) {
    const struct herald_method_schema *method = fuzz_method(index);
    ProtobufCMessage *request = random_message(method->request, seed);
    struct herald_error error;
    size_t bytes;
    char *json = NULL;
    uint8_t *data = packed(request, &bytes);
    make_envelope(method, data, bytes);
    if (herald_json_write(method->request, request, NULL, &json, &error) == HERALD_OK) {
        make_probe(method, json);
    }
    make_reply(index, method, seed);
    free(json);
    free(data);
    protobuf_c_message_free_unpacked(request, NULL);
}

int main(int argc, char **argv) {
    uint64_t seed = 20260101;
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz-make-seeds tests/fuzz/corpus\n");
        return 64;
    }
    folder = argv[1];
    for (size_t i = 0; i < fuzz_type_count(); i++) {
        make_type(i, &seed);
    }
    for (size_t i = 0; i < fuzz_method_count(); i++) {
        make_method(i, &seed);
    }
    return 0;
}
