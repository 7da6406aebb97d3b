#include "server/programs/settings.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

/* A file of settings. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static FILE *nowhere;
    static struct herald_error error;
    struct settings settings;
    if (!nowhere) {
        nowhere = fopen("/dev/null", "w");
    }
    fuzz_require(nowhere != NULL, "there is a place to print to");
    if (settings_load(&settings, fuzz_file(data, bytes), &error) == HERALD_OK) {
        settings_print(&settings, nowhere);
    } else {
        fuzz_require(error.code == HERALD_INVALID_ARGUMENT && error.detail_count > 0,
                     "a file that is refused is refused with details");
    }
    settings_fini(&settings);
    return 0;
}
