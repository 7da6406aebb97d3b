#include "server/auth/callers.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* A callers file: who may call what. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static struct herald_error error;
    struct callers *callers = NULL;
    if (callers_load(fuzz_file(data, bytes), &callers, &error) != HERALD_OK) {
        fuzz_require(callers == NULL && error.message[0], "a file that is refused is refused with a reason");
        return 0;
    }
    const struct caller *caller = callers_find(callers, "shop-web");
    const char *key_id = NULL;
    if (caller) {
        const struct caller_key *key = caller_first_key(caller, &key_id);
        fuzz_require(key && key->caller == caller && key->key.count >= AUTH_KEY_MIN_BYTES, "each caller has a key");
        fuzz_require(callers_find_key(callers, key_id) == key, "a key is found by its id");
        fuzz_require(strcmp(caller_name(caller), "shop-web") == 0, "a caller is found by its name");
    }
    callers_unref(callers);
    return 0;
}
