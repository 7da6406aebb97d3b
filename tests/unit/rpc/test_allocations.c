#include "cmocka_headers.h"
#include "fixture.h"
#include "hangup.h"
#include "server/runtime/loop.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A call that is like those before allocates nothing on its loop, from its arrival to its reply. The linker puts these
 * functions in the place of libc's for all of Herald's code; libnng, libuv and protobuf-c keep their own. */

#define WARM_CALLS 50u
#define CALLS      200u

static atomic_uint allocations;

static void count_allocation(void) {
    if (loop_current()) {
        atomic_fetch_add(&allocations, 1);
    }
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);

void *__wrap_malloc(size_t bytes) {
    count_allocation();
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes) {
    count_allocation();
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes) {
    count_allocation();
    return __real_realloc(memory, bytes);
}

static void make_calls(struct herald_channel *channel, unsigned count) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    request.job_id = (char *)TEST_JOB_ID;
    for (unsigned i = 0; i < count; i++) {
        const Herald__Job__V1__GetJobResponse *response = NULL;
        struct herald_reply reply;
        assert_int_equal(herald_job_v1_job_service_get_job(channel, &request, NULL, &reply, &response), HERALD_OK);
        herald_reply_clear(&reply);
    }
}

static void test_allocations_of_a_usual_call_there_are_none(void **state) {
    struct fixture *fixture = *state;
    struct herald_channel *channel = NULL;
    fixture_listen(fixture);
    assert_int_equal(herald_channel_open(fixture->url, NULL, &channel, NULL), HERALD_OK);
    make_calls(channel, WARM_CALLS);
    assert_true(atomic_load(&allocations) > 0); /* they are counted */
    unsigned before = atomic_load(&allocations);
    make_calls(channel, CALLS);
    unsigned more = atomic_load(&allocations) - before;
    if (more > CALLS / 20) { /* the server does other things beside them */
        fail_msg("%u calls made %u allocations", CALLS, more);
    }
    herald_channel_close(channel);
}

static int set_up(void **state) {
    *state = fixture_new();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_allocations_of_a_usual_call_there_are_none, set_up, fixture_tear_down),
    };
    return cmocka_run_group_tests_name("rpc.allocations", tests, NULL, NULL);
}
