#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/transport/leaving_server.h"

/* Linked with the shared libherald, which exports nothing of nng's, and cures it all the same. */

static void test_shared_library_dials_servers_that_leave_again(void **state) {
    (void)state;
    assert_int_equal(call_leaving_server(), LEAVING_SERVER_VISITS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shared_library_dials_servers_that_leave_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
