#ifndef HERALD_TESTS_UNIT_RPC_FIXTURE_H
#define HERALD_TESTS_UNIT_RPC_FIXTURE_H

#include "herald/client.h"
#include "herald/job/v1/job.client.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "server/rpc/server.h"

#include <pthread.h>
#include <stdatomic.h>

/*
 * A server in this process: real sockets, loops on threads of their own, herald.job.v1.JobService with handlers that
 * the tests steer.
 *
 * GetJob     answers at once, as `mode` says; Job.version is what remains of the deadline in ms, Job.failure the call
 *            id, Job.eventDraftId the traceparent
 * WaitJob    waits until `open`, or until its call must end
 * UpdateJob  calls WaitJob or GetJob on `downstream`, with the same job id
 * CreateImageJob  answers with its idempotency key as job id
 */
enum get_job_mode {
    GET_JOB_OK,
    GET_JOB_FAILS,           /* FAILED_PRECONDITION with a reason and two details */
    GET_JOB_FAILS_SILENTLY,  /* ABORTED without a struct herald_error */
    GET_JOB_OUTCOME_UNKNOWN, /* a code that is not for the wire */
    GET_JOB_BIG,             /* a response beyond the message limit */
    GET_JOB_ARENA,           /* fills the arena */
};

#define FIXTURE_LOOPS_MAX 4u

struct fixture {
    struct settings settings;
    struct loop *loops[FIXTURE_LOOPS_MAX];
    pthread_t threads[FIXTURE_LOOPS_MAX];
    unsigned loop_count;
    struct rpc_server *server;
    const char *url;
    atomic_int mode; /* enum get_job_mode */
    atomic_bool open;
    atomic_uint waiting; /* WaitJob handlers that wait */
    atomic_uint ended;   /* handlers that have ended */
    atomic_int last_code;
    struct herald_channel *downstream;
    bool downstream_waits;         /* UpdateJob calls WaitJob, not GetJob */
    atomic_int downstream_outcome; /* enum herald_outcome */
    atomic_int downstream_code;
};

/** Zeroes it and loads the default settings, which may then be changed. */
void fixture_init(struct fixture *fixture);
/** Makes loops and server and starts the threads; does not listen. */
void fixture_start(struct fixture *fixture);
/** fixture_start() and listens on a free port of 127.0.0.1. */
void fixture_listen(struct fixture *fixture);
/** Ends everything; calls must have ended or end by themselves. */
void fixture_stop(struct fixture *fixture);

/** Waits up to ten seconds until @condition(@arg); false when it did not come true. */
bool eventually(bool (*condition)(void *arg), void *arg);
/** Waits until @count calls of WaitJob wait, and asserts that. */
void fixture_await_waiting(struct fixture *fixture, unsigned count);

#define TEST_JOB_ID "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"

/* ---- raw messages, without the client library ---- */

struct raw_reply {
    int failure;    /* of nng; 0: a reply came */
    uint8_t *bytes; /* terminated; empty without a reply */
    size_t count;
};

/** Sends one message over a new connection and receives its reply within @timeout_ms. Clear the
 * result. */
struct raw_reply raw_call(const char *url, const void *bytes, size_t count, int timeout_ms);
void raw_reply_clear(struct raw_reply *reply);
/** Sends a probe and returns the answer, terminated; free() it. Asserts that an answer came. */
char *probe(const char *url, const char *text);
/** Asserts that the answer of a probe holds @expected. */
void assert_probe(const char *url, const char *text, const char *expected);
/** Packs and sends an envelope; returns the unpacked Response. Free it with herald__rpc__v1__response__free_unpacked().
 */
Herald__Rpc__V1__Response *envelope_call(const char *url, const Herald__Rpc__V1__Request *request);
/** Sends bytes, expects a Response of this code and reason, and returns it. */
Herald__Rpc__V1__Response *expect_response(const char *url, const void *bytes, size_t count, int code,
                                           const char *reason);
/** An envelope for GetJob of TEST_JOB_ID; its payload lives as long as the program. */
Herald__Rpc__V1__Request get_job_envelope(void);

/* ---- many calls at once ---- */

struct pending_call {
    struct herald_reply reply;
    atomic_bool done;
};

/** Starts a call; its end sets done. */
void start_call(struct herald_channel *channel, const struct herald_method_schema *method,
                const ProtobufCMessage *request, struct pending_call *call, uint32_t timeout_ms);
/** Starts WaitJob. */
void start_wait_job(struct herald_channel *channel, struct pending_call *call, uint32_t timeout_ms);
void await_call(struct pending_call *call);

#endif
