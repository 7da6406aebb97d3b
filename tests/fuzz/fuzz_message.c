#include "herald/unpack.h"
#include "tests/fuzz/fuzz.h"

/* Every type of the wire in binary: the first byte chooses the type, the rest is what a peer sent. */

static enum herald_code read_message(const struct herald_message_schema *schema, const uint8_t *data, size_t bytes,
                                     ProtobufCMessage **ret_message, struct herald_error *reterr) {
    return herald_unpack(schema, NULL, data, bytes, ret_message, reterr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    return fuzz_check_reading(read_message, data, bytes);
}
