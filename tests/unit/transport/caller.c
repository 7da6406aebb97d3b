#include "tests/unit/transport/caller.h"

#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"

#include <string.h>

/* Longer than anything that misbehaving peers may cost. */
#define CALL_TIMEOUT_MS 15000u

static void *run(void *user) {
    struct caller *caller = user;
    const struct herald_call_options options = {.timeout_ms = CALL_TIMEOUT_MS};
    struct herald_reply reply;
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    request.job_id = (char *)TEST_JOB_ID;
    while (!atomic_load(&caller->ending)) {
        if (herald_call(caller->channel, herald_job_v1_job_service_wait_job_method, &request.base, &options, &reply) ==
            HERALD_OK) {
            atomic_fetch_add(&caller->succeeded, 1);
        } else {
            caller->last_error = reply.error;
            atomic_fetch_add(&caller->failed, 1);
        }
        herald_reply_clear(&reply);
    }
    return NULL;
}

void caller_start(struct caller *caller, const char *url) {
    struct herald_error error;
    memset(caller, 0, sizeof(*caller));
    assert_int_equal(herald_channel_open(url, NULL, &caller->channel, &error), HERALD_OK);
    assert_int_equal(pthread_create(&caller->thread, NULL, run, caller), 0);
}

struct wish {
    struct caller *caller;
    unsigned succeeded;
};

static bool is_fulfilled(void *user) {
    struct wish *wish = user;
    return atomic_load(&wish->caller->succeeded) >= wish->succeeded || atomic_load(&wish->caller->failed) > 0;
}

static void expect_no_failure(struct caller *caller) {
    if (atomic_load(&caller->failed) > 0) {
        fail_msg("a healthy call failed: %s: %s", caller->last_error.reason, caller->last_error.message);
    }
}

void caller_expect_more(struct caller *caller, unsigned count) {
    struct wish wish = {caller, atomic_load(&caller->succeeded) + count};
    assert_true(eventually(is_fulfilled, &wish));
    expect_no_failure(caller);
}

void caller_stop(struct caller *caller) {
    atomic_store(&caller->ending, true);
    assert_int_equal(pthread_join(caller->thread, NULL), 0);
    herald_channel_close(caller->channel);
    expect_no_failure(caller);
}
