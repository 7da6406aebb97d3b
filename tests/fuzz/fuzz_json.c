#include "herald/json.h"
#include "tests/fuzz/fuzz.h"

/* Every type of the wire in JSON: the first byte chooses the type, the rest is the text. */

static enum herald_code read_json(const struct herald_message_schema *schema, const uint8_t *data, size_t bytes,
                                  ProtobufCMessage **ret_message, struct herald_error *reterr) {
    return herald_json_read(schema, (const char *)data, bytes, NULL, NULL, ret_message, reterr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    return fuzz_check_reading(read_json, data, bytes);
}
