#include "client/src/stream_shim.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/transport/fake_nng.h"

#include <nng/nng.h>
#include <unistd.h>

/*
 * The cure's way into a library, in each way that one may have been linked. That it cures libnng is what
 * transport.vanishing shows.
 */

static void test_stream_shim_ends_what_the_library_itself_begins(void **state) {
    (void)state;
    struct fake_nng_counts counts = fake_nng_receive();
    assert_int_equal(counts.begun, 1);
    assert_int_equal(counts.ended, 0);
    if (!herald_stream_shim_needed()) {
        skip();
    }
    herald_stream_shim_install();
    herald_stream_shim_install();
    counts = fake_nng_receive();
    assert_int_equal(counts.begun, 1);
    assert_int_equal(counts.ended, 1);
}

static void test_stream_shim_leaves_calls_from_outside_alone(void **state) {
    (void)state;
    herald_stream_shim_install();
    unsigned long ended = herald_stream_shim_ended_count();
    nng_stream_recv(NULL, NULL);
    assert_int_equal(herald_stream_shim_ended_count(), ended);
}

static void test_stream_shim_shows_the_library_half_of_the_processors(void **state) {
    (void)state;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    bool is_halved = herald_stream_shim_needed() && processors > 1; /* a newer library sees them all */
    herald_stream_shim_install();
    assert_int_equal(fake_nng_ask_system(_SC_NPROCESSORS_ONLN), is_halved ? processors / 2 : processors);
    assert_int_equal(fake_nng_ask_system(_SC_PAGESIZE), sysconf(_SC_PAGESIZE));
    assert_int_equal(sysconf(_SC_NPROCESSORS_ONLN), processors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_shim_ends_what_the_library_itself_begins),
        cmocka_unit_test(test_stream_shim_leaves_calls_from_outside_alone),
        cmocka_unit_test(test_stream_shim_shows_the_library_half_of_the_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
