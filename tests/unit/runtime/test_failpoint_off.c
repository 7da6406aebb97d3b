/* Built with HERALD_FAILPOINTS=0, as release builds are. */
#include "server/distribution/distribution_failpoints.h"
#include "server/durable/durable_failpoints.h"
#include "server/event/event_failpoints.h"
#include "server/job/job_failpoints.h"
#include "server/programs/failpoints.h"
#include "server/rpc/rpc_failpoints.h"
#include "tests/unit/runtime/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool file_holds(const char *path, const char *text) {
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t bytes = (size_t)ftell(file);
    rewind(file);
    char *content = malloc(bytes);
    assert_int_equal(fread(content, 1, bytes, file), bytes);
    fclose(file);
    bool found = memmem(content, bytes, text, strlen(text)) != NULL;
    free(content);
    return found;
}

static void test_set_when_compiled_out_is_unimplemented(void **state) {
    (void)state;
    struct herald_error error = {0};
    failpoint_use(all_failpoints);
    assert_int_equal(failpoint_count(), 0);
    assert_int_equal(failpoint_set("rpc.reply", "drop", NULL, &error), HERALD_UNIMPLEMENTED);
    assert_string_equal(error.reason, "COMPILED_OUT");
    assert_false(failpoint_drops(FAILPOINT_RPC_REPLY));
    assert_int_equal(failpoint_hit(FAILPOINT_RPC_BEFORE_HANDLER, &error), HERALD_OK);
}

static void test_environment_when_compiled_out_does_nothing(void **state) {
    (void)state;
    setenv("HERALD_FAILPOINT", "rpc.reply:drop", 1);
    assert_int_equal(failpoint_set_from_environment(NULL), HERALD_OK);
}

static void test_names_when_compiled_out_are_not_in_the_code(void **state) {
    (void)state;
#define ASSERT_ABSENT(name, text, allowed, about)                                                                      \
    assert_false(file_holds(FAILPOINTS_OFF_LIBRARY, text));                                                            \
    assert_false(file_holds(FAILPOINTS_OFF_LIBRARY, about));
    RPC_FAILPOINTS(ASSERT_ABSENT)
    EVENT_FAILPOINTS(ASSERT_ABSENT)
    DISTRIBUTION_FAILPOINTS(ASSERT_ABSENT)
    JOB_FAILPOINTS(ASSERT_ABSENT)
    DURABLE_FAILPOINTS(ASSERT_ABSENT)
    assert_true(file_holds(FAILPOINTS_OFF_LIBRARY, "COMPILED_OUT")); /* it was the right file */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_when_compiled_out_is_unimplemented),
        cmocka_unit_test(test_environment_when_compiled_out_does_nothing),
        cmocka_unit_test(test_names_when_compiled_out_are_not_in_the_code),
    };
    return cmocka_run_group_tests_name("runtime.failpoint_off", tests, NULL, NULL);
}
