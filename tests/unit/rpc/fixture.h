#ifndef HERALD_TESTS_UNIT_RPC_FIXTURE_H
#define HERALD_TESTS_UNIT_RPC_FIXTURE_H

#include "herald/client.h"
#include "herald/job/v1/job.client.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "server/programs/settings.h"
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
 * CreateImageJob  answers with its idempotency key as job id; while `create_waits`, waits like WaitJob first
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
    atomic_uint got; /* GetJob handlers that answered OK */
    atomic_bool open;
    atomic_uint get_delay_ms; /* GetJob sleeps for so long first */
    atomic_uint waiting;      /* WaitJob handlers that wait */
    atomic_uint ended;        /* handlers that have ended */
    atomic_int last_code;
    atomic_bool create_waits;
    atomic_bool wait_completes;  /* WaitJob waits for a completion that never comes, not in short sleeps */
    atomic_int last_create_code; /* of the wait of CreateImageJob */
    char created_for[65];        /* user id of the last CreateImageJob */
    atomic_uint created;         /* CreateImageJob handlers that have ended */
    _Atomic(struct herald_channel *) downstream;
    atomic_bool downstream_waits;  /* UpdateJob calls WaitJob, not GetJob */
    atomic_int downstream_outcome; /* enum herald_outcome */
    atomic_int downstream_code;
    atomic_ullong downstream_us;     /* that UpdateJob's call counted */
    _Atomic(const char *) acting_as; /* UpdateJob acts for this user; NULL: nobody */
};

/** True when the servers of this process have the native engine: by HERALD_RPC_ENGINE, as the second run of these tests
 *  has it. */
bool fixture_is_native(void);
/** Skips a test of what happens while a loop is busy and nng's threads go on. */
#define SKIP_WITHOUT_OTHER_THREADS()                                                                                   \
    if (fixture_is_native()) {                                                                                         \
        skip();                                                                                                        \
    }
/** Zeroes it and loads the default settings, without a limit of the wait for a loop; they may then be changed. */
void fixture_init(struct fixture *fixture);
/** Makes loops and server and starts the threads; does not listen. */
void fixture_start(struct fixture *fixture);
/** Listens on a free port of 127.0.0.1, after fixture_start(). */
void fixture_open(struct fixture *fixture);
/** fixture_start() and fixture_open(). */
void fixture_listen(struct fixture *fixture);
/** Calls that the server says it has in flight. */
unsigned fixture_in_flight(const struct fixture *fixture);
/** Ends everything; calls must have ended or end by themselves. */
void fixture_stop(struct fixture *fixture);

/** Set-up of a test whose state is a listening fixture, and its end. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);
/** A fixture on the heap, initialised, to be changed and started; and its end. */
struct fixture *fixture_new(void);
void fixture_free(struct fixture *fixture);

/** Waits up to ten seconds until @condition(@arg); false when it did not come true. */
bool eventually(bool (*condition)(void *arg), void *arg);
/** Waits until @count calls of WaitJob wait, and asserts that. */
void fixture_await_waiting(struct fixture *fixture, unsigned count);
/** Waits until no handler waits, and no call has a place: a call keeps it until its reply is sent. Asks a loop. */
void fixture_await_idle(struct fixture *fixture);

/** Work that keeps the fixture's first loop busy until `over`. With the native engine that loop reads nothing then. */
struct blockade {
    struct loop_work work; /* first */
    atomic_bool begun, over;
};
void begin_blockade(struct fixture *fixture, struct blockade *blockade);

#define TEST_JOB_ID "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"

/* ---- raw messages, without the client library ---- */

struct raw_reply {
    int failure;    /* of nng; 0: a reply came */
    uint8_t *bytes; /* terminated; empty without a reply */
    size_t count;
};

/* A client in plain TCP, whose connection stays open, and ends in the middle of anything. */
#define RAW_REPLIES_KEPT 16u
struct raw_link {
    int fd;
    uint32_t last_id;
    struct {
        uint32_t id; /* 0: free */
        Herald__Rpc__V1__Response *response;
    } kept[RAW_REPLIES_KEPT]; /* replies that came while another one was waited for */
};
/** Connects to tcp://127.0.0.1:PORT. */
void raw_link_open(struct raw_link *link, const char *url);
/** Hangs up, whatever is still to come. */
void raw_link_close(struct raw_link *link);
/** Sends a message and does not wait for the reply. Returns what raw_receive() wants to know. */
uint32_t raw_send(struct raw_link *link, const void *bytes, size_t count);
uint32_t raw_send_envelope(struct raw_link *link, const Herald__Rpc__V1__Request *request);
/** Receives the reply, unpacked; NULL when none came within @timeout_ms or the connection has ended. */
Herald__Rpc__V1__Response *raw_receive(struct raw_link *link, uint32_t id, int timeout_ms);
/** raw_send_envelope() and raw_receive() of an answer that has to come. */
Herald__Rpc__V1__Response *raw_link_call(struct raw_link *link, const Herald__Rpc__V1__Request *request);

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
/** An envelope for GetJob of TEST_JOB_ID; its payload lives as long as the thread. */
Herald__Rpc__V1__Request get_job_envelope(void);
/** An envelope for WaitJob, likewise. */
Herald__Rpc__V1__Request wait_job_envelope(void);
/** An envelope for CreateImageJob, likewise. */
Herald__Rpc__V1__Request create_image_job_envelope(void);

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

/** Fails unless @own is another span of the trace that @parent is a span of, with the same flags. */
void assert_child_span(const char *own, const char *parent);

#endif
