#include "server/rpc/probe_text.h"
#include "tests/fuzz/call.h"

/* A probe in plain text or JSON, as of nngcat. */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    fuzz_call_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (!probe_is(data, bytes)) {
        return -1;
    }
    fuzz_call(data, bytes);
    return 0;
}
