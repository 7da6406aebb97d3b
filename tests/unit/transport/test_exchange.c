#include "client/src/stream_shim.h"
#include "server/transport/backlog.h"
#include "server/transport/exchange.h"
#include "server/transport/listener.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/transport/stranger.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * The transport by itself: a listener that hands exchanges to a layer of the test's own, which knows no envelope and no
 * call. With the native engine (HERALD_RPC_ENGINE) a loop hands them up, and the test replies from another thread.
 *
 *   "echo…"   answered at once with the same bytes
 *   "wait"    joined with ticket 7 and kept, until the test answers it
 *   "cancel"  cancels ticket 7 of its connection; answered with "found" or "none"
 */

#define URL         "ipc:///tmp/transport-exchange-%d"
#define TICKET      7u
#define PATIENCE_MS 10000
#define KEPT_MAX    4u

#define DESCRIPTORS_MAX 256

struct layer {
    char url[64];
    struct loop *loop; /* of the native engine */
    pthread_t thread;
    struct listener *listener;
    nng_socket client;
    _Atomic(struct exchange *) kept; /* the last "wait" */
    atomic_uint arrivals, ends, cancels;
    atomic_int cancel_code;
    atomic_uint broken; /* what a thread of nng found wrong */
    int late;           /* a connection that asks when the listener's socket closes */
    atomic_bool asks_late, closes;
};

/* ---- the layer above ---- */

static void answer(struct exchange *exchange, const void *data, size_t bytes) {
    uint8_t copy[64] = {0}; /* the request's bytes are gone once the reply is made */
    memcpy(copy, data, bytes < sizeof(copy) ? bytes : sizeof(copy));
    uint8_t *reply = exchange_make_reply(exchange, bytes);
    if (reply) {
        memcpy(reply, copy, bytes < sizeof(copy) ? bytes : sizeof(copy));
    }
    exchange_reply(exchange);
}

/* cmocka's assertions are for the test's own thread. */
static void check(struct layer *layer, bool good) {
    atomic_fetch_add(&layer->broken, good ? 0 : 1);
}

static bool is(const struct exchange *exchange, const char *text) {
    return exchange->bytes == strlen(text) && memcmp(exchange->data, text, exchange->bytes) == 0;
}

static void on_arrival(void *user, struct exchange *exchange) {
    struct layer *layer = user;
    struct exchange **own = exchange_user(exchange); /* zero at first, and its own from then on */
    check(layer, !*own || *own == exchange);
    *own = exchange;
    atomic_fetch_add(&layer->arrivals, 1);
    check(layer, listener_serves(exchange));
    if (is(exchange, "wait")) {
        check(layer, exchange_join(exchange, TICKET, &(struct peers_limits){.calls = 0}) == PEERS_JOINED);
        exchange_drop_request(exchange);
        atomic_store(&layer->kept, exchange);
    } else if (is(exchange, "cancel")) {
        bool found = exchange_cancel(exchange, TICKET, HERALD_DEADLINE_EXCEEDED);
        answer(exchange, found ? "found" : "none", found ? 5 : 4);
    } else {
        answer(exchange, exchange->data, exchange->bytes);
    }
}

static struct layer layer;

static void on_cancel(struct exchange *exchange, enum herald_code code) {
    check(&layer, exchange == atomic_load(&layer.kept));
    atomic_store(&layer.cancel_code, (int)code);
    atomic_fetch_add(&layer.cancels, 1);
}

static void on_end(void *user, struct exchange *exchange) {
    struct layer *of = user;
    (void)exchange;
    atomic_fetch_add(&of->ends, 1);
}

static bool is_full(void *user) {
    (void)user;
    return false;
}

static const struct exchange_ops OPS = {.user_bytes = sizeof(struct exchange *),
                                        .on_arrival = on_arrival,
                                        .on_cancel = on_cancel,
                                        .on_end = on_end,
                                        .is_full = is_full};

/* ---- a client ---- */

static bool is_native(void) {
    const char *engine = getenv("HERALD_RPC_ENGINE");
    return engine && strcmp(engine, "native") == 0;
}

static void *run_layer_loop(void *loop) {
    loop_run(loop);
    return NULL;
}

static struct listener_options layer_options(void) {
    return (struct listener_options){.server_name = "test-server",
                                     .is_native = is_native(),
                                     .loops = &layer.loop,
                                     .loop_count = 1,
                                     .max_message_bytes = 1024,
                                     .max_in_flight = KEPT_MAX,
                                     .spare_contexts = 2,
                                     .max_connections = 8,
                                     .ops = &OPS,
                                     .user = &layer};
}

static int set_up(void **state) {
    memset(&layer, 0, sizeof(layer));
    snprintf(layer.url, sizeof(layer.url), URL, (int)getpid());
    const struct listener_options options = layer_options();
    signal(SIGPIPE, SIG_IGN);
    if (is_native()) {
        assert_int_equal(loop_new(0, &layer.loop, NULL), HERALD_OK);
        assert_int_equal(pthread_create(&layer.thread, NULL, run_layer_loop, layer.loop), 0);
    }
    assert_int_equal(listener_open(layer.url, &options, &layer.listener, NULL), HERALD_OK);
    herald_stream_shim_install(); /* for the client here: a server of the native engine needs none */
    assert_int_equal(nng_req0_open(&layer.client), 0);
    assert_int_equal(nng_socket_set_ms(layer.client, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
    assert_int_equal(nng_dial(layer.client, layer.url, NULL, 0), 0);
    *state = &layer;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    nng_close(layer.client);
    assert_true(listener_close(layer.listener));
    if (layer.loop) {
        loop_stop(layer.loop);
        pthread_join(layer.thread, NULL);
        loop_free(layer.loop);
    }
    assert_int_equal(layer.broken, 0);
    return 0;
}

struct question {
    nng_ctx context;
    nng_aio *aio;
};

static void ask(struct question *question, const char *text) {
    nng_msg *request = NULL;
    assert_int_equal(nng_ctx_open(&question->context, layer.client), 0);
    assert_int_equal(nng_aio_alloc(&question->aio, NULL, NULL), 0);
    nng_aio_set_timeout(question->aio, PATIENCE_MS);
    assert_int_equal(nng_msg_alloc(&request, 0), 0);
    assert_int_equal(nng_msg_append(request, text, strlen(text)), 0);
    nng_aio_set_msg(question->aio, request);
    nng_ctx_send(question->context, question->aio);
    nng_aio_wait(question->aio);
    assert_int_equal(nng_aio_result(question->aio), 0);
    nng_ctx_recv(question->context, question->aio);
}

static void expect(struct question *question, const char *text) {
    nng_aio_wait(question->aio);
    assert_int_equal(nng_aio_result(question->aio), 0);
    nng_msg *reply = nng_aio_get_msg(question->aio);
    assert_int_equal(nng_msg_len(reply), strlen(text));
    assert_memory_equal(nng_msg_body(reply), text, strlen(text));
    nng_msg_free(reply);
    nng_aio_free(question->aio);
    nng_ctx_close(question->context);
}

/* Waits until a count is reached. */
static void await(atomic_uint *count, unsigned expected) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < PATIENCE_MS && atomic_load(count) != expected; i++) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(atomic_load(count), expected);
}

/* Asks "wait" and waits until it has arrived. */
static struct exchange *ask_to_wait(struct question *question) {
    struct exchange *kept = NULL;
    const struct timespec pause = {.tv_nsec = 1000000};
    ask(question, "wait");
    for (int i = 0; i < PATIENCE_MS && !kept; i++) {
        nanosleep(&pause, NULL);
        kept = atomic_load(&layer.kept);
    }
    assert_non_null(kept);
    return kept;
}

/* ---- tests ---- */

static void test_exchange_hands_request_up_and_reply_down(void **state) {
    struct question question;
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        ask(&question, "echo me");
        expect(&question, "echo me");
    }
    assert_int_equal(layer.arrivals, 20);
    await(&layer.ends, 20); /* once for each */
    assert_int_equal(listener_connection_count(layer.listener), 1);
}

static void test_exchange_cancel_reaches_call_that_runs(void **state) {
    struct question waiting, cancel;
    (void)state;
    struct exchange *kept = ask_to_wait(&waiting);
    assert_false(exchange_is_cancelled(kept));
    assert_int_equal(exchange_in_flight(kept), 1);
    for (int i = 0; i < 2; i++) { /* the second time there is nothing more to say */
        ask(&cancel, "cancel");
        expect(&cancel, "found");
        await(&layer.cancels, 1);
    }
    assert_int_equal(layer.cancel_code, HERALD_DEADLINE_EXCEEDED);
    assert_true(exchange_is_cancelled(kept));
    assert_true(exchange_cancel_arrived(kept)); /* it still runs */
    answer(kept, "late", 4);
    expect(&waiting, "late");
    ask(&cancel, "cancel");
    expect(&cancel, "none");
    assert_int_equal(layer.cancels, 1);
}

static void test_exchange_is_parked_until_its_cancel_message_has_arrived(void **state) {
    struct question waiting, cancel;
    (void)state;
    struct exchange *kept = ask_to_wait(&waiting);
    ask(&cancel, "cancel");
    expect(&cancel, "found");
    await(&layer.ends, 1); /* of the cancel */
    answer(kept, "ended", 5);
    assert_int_equal(layer.ends, 1);
    assert_false(exchange_cancel_arrived(kept)); /* it had ended: the reply leaves now */
    expect(&waiting, "ended");
    await(&layer.ends, 2);
}

static void test_exchange_of_vanished_client_is_cancelled(void **state) {
    struct question waiting;
    (void)state;
    struct exchange *kept = ask_to_wait(&waiting);
    nng_aio_cancel(waiting.aio);
    nng_aio_wait(waiting.aio);
    nng_aio_free(waiting.aio);
    nng_close(layer.client);
    await(&layer.cancels, 1);
    assert_int_equal(layer.cancel_code, HERALD_CANCELLED);
    assert_int_equal(exchange_in_flight(kept), 0);
    exchange_reply(kept);
    assert_int_equal(layer.ends, 0);
    assert_false(exchange_cancel_arrived(kept));
    await(&layer.ends, 1);
    assert_int_equal(listener_connection_count(layer.listener), 0);
}

static void test_exchange_that_is_never_answered_ends_with_its_listener(void **state) {
    struct question waiting;
    (void)state;
    (void)ask_to_wait(&waiting);
    nng_aio_cancel(waiting.aio);
    nng_aio_wait(waiting.aio);
    nng_aio_free(waiting.aio);
    assert_true(listener_close(layer.listener));
    layer.listener = NULL;
    assert_int_equal(layer.ends, 1);
}

/* ---- the words in front of a request ---- */

/* Sends @words words, of which only the last one has its highest bit set, and "echo me". */
static void send_words(int fd, unsigned words, unsigned marker) {
    uint8_t frame[STRANGER_HEAD_MAX + 4 * 32 + 7];
    size_t used = stranger_frame_head(layer.url, 4 * words + 7, frame);
    for (unsigned i = 0; i < words; i++) {
        frame[used++] = i + 1 == words ? 0x80 : 0;
        frame[used++] = (uint8_t)marker;
        frame[used++] = 0;
        frame[used++] = (uint8_t)i;
    }
    memcpy(frame + used, "echo me", 7);
    stranger_send(fd, frame, used + 7);
}

static void expect_words(int fd, unsigned words, unsigned marker) {
    uint8_t got[STRANGER_HEAD_MAX + 4 * 32 + 7], head[STRANGER_HEAD_MAX];
    size_t head_bytes = stranger_frame_head(layer.url, 4 * words + 7, head), whole = head_bytes + 4 * words + 7;
    for (size_t used = 0; used < whole;) {
        ssize_t count = recv(fd, got + used, whole - used, 0);
        assert_true(count > 0);
        used += (size_t)count;
    }
    assert_memory_equal(got, head, head_bytes);
    assert_int_equal(got[head_bytes + 4 * words - 4], 0x80);
    assert_int_equal(got[head_bytes + 1], marker);
    assert_memory_equal(got + whole - 7, "echo me", 7);
}

static void test_exchange_gives_back_the_words_of_devices(void **state) {
    (void)state;
    int fd = stranger_connect(layer.url);
    assert_true(stranger_greet(fd));
    for (unsigned words = 1; words <= 8; words++) {
        send_words(fd, words, words);
        expect_words(fd, words, words);
    }
    send_words(fd, 9, 9); /* has come too far: dropped, and nobody is cut off for it */
    send_words(fd, 3, 10);
    expect_words(fd, 3, 10);
    close(fd);
}

static void test_exchange_cuts_off_who_sends_no_words(void **state) {
    uint8_t frame[STRANGER_HEAD_MAX + 7];
    (void)state;
    for (unsigned bytes = 0; bytes <= 7; bytes++) {
        int fd = stranger_connect(layer.url);
        assert_true(stranger_greet(fd));
        size_t used = stranger_frame_head(layer.url, bytes, frame);
        memset(frame + used, 0, bytes);
        stranger_send(fd, frame, used + bytes);
        assert_true(stranger_was_left(fd, PATIENCE_MS));
        close(fd);
    }
    assert_int_equal(layer.arrivals, 0);
}

/* ---- a listener that closes ---- */

static bool ask_late(void) {
    static const uint8_t request[] = "\x80\0\0\1echo me";
    uint8_t frame[STRANGER_HEAD_MAX + sizeof(request) - 1];
    size_t used = stranger_frame_head(layer.url, sizeof(request) - 1, frame);
    memcpy(frame + used, request, sizeof(request) - 1);
    used += sizeof(request) - 1;
    return send(layer.late, frame, used, 0) == (ssize_t)used &&
           recv(layer.late, frame, used, MSG_WAITALL) == (ssize_t)used;
}

/* The linker has nng_close() and nng_ctx_open() called by way of these. */
int __real_nng_close(nng_socket socket);
int __wrap_nng_close(nng_socket socket);
int __wrap_nng_close(nng_socket socket) {
    if (atomic_exchange(&layer.asks_late, false)) {
        atomic_store(&layer.closes, true);
        check(&layer, ask_late());
    }
    return __real_nng_close(socket);
}

int __real_nng_ctx_open(nng_ctx *context, nng_socket socket);
int __wrap_nng_ctx_open(nng_ctx *context, nng_socket socket);
int __wrap_nng_ctx_open(nng_ctx *context, nng_socket socket) {
    check(&layer, !atomic_load(&layer.closes));
    return __real_nng_ctx_open(context, socket);
}

/* Each request has another context opened while it is served, and nng_close() would wait for that one for ever. */
static void test_exchange_listener_opens_no_context_while_its_socket_closes(void **state) {
    (void)state;
    layer.late = stranger_connect(layer.url);
    assert_true(stranger_greet(layer.late));
    atomic_store(&layer.asks_late, !is_native());
    assert_true(listener_close(layer.listener));
    layer.listener = NULL;
    assert_int_equal(layer.arrivals, is_native() ? 0 : 1);
    close(layer.late);
}

static void test_exchange_listener_on_a_loop_that_never_ran_is_closed(void **state) {
    struct listener *listener = NULL;
    (void)state;
    assert_int_equal(loop_new(0, &layer.loop, NULL), HERALD_OK);
    const struct listener_options options = layer_options();
    assert_int_equal(listener_open("tcp://127.0.0.1:0", &options, &listener, NULL), HERALD_OK);
    assert_true(listener_close(listener));
    loop_free(layer.loop);
}

/* ---- the path ---- */

static void test_exchange_listener_removes_no_file_but_a_socket(void **state) {
    char url[] = "ipc:///tmp/transport-file-XXXXXX", *path = url + strlen("ipc://");
    const struct listener_options options = layer_options();
    struct listener *listener = NULL;
    struct herald_error error;
    struct stat file;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(listener_open(url, &options, &listener, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "CANNOT_LISTEN");
    assert_int_equal(stat(path, &file), 0);
    assert_true(S_ISREG(file.st_mode));
    close(fd);
    assert_int_equal(unlink(path), 0);
}

/* ---- several loops ---- */

#define STRANGERS 8u

static sem_t let_go;

static void hold_loop(struct loop_work *work) {
    (void)work;
    (void)sem_wait(&let_go);
}

/* Opens connections, and counts those that are greeted. */
static unsigned count_greeted(const char *url, unsigned expected) {
    struct pollfd wait[STRANGERS];
    unsigned greeted = 0;
    for (unsigned i = 0; i < STRANGERS; i++) {
        wait[i] = (struct pollfd){.fd = stranger_connect(url), .events = POLLIN};
        assert_true(wait[i].fd >= 0);
    }
    for (int waited = 0; greeted < expected && waited < PATIENCE_MS; waited += 5) {
        (void)poll(NULL, 0, 5);
        assert_true(poll(wait, STRANGERS, 0) >= 0);
        greeted = 0;
        for (unsigned i = 0; i < STRANGERS; i++) {
            greeted += (wait[i].revents & POLLIN) != 0;
        }
    }
    for (unsigned i = 0; i < STRANGERS; i++) {
        close(wait[i].fd);
    }
    return greeted;
}

/* Connections that wait for a busy loop count as its own: the others go elsewhere. */
static void test_exchange_busy_loop_is_not_given_all_connections(void **state) {
    struct loop_work work = {.run = hold_loop};
    struct listener *listener = NULL;
    struct loop *loops[2];
    pthread_t threads[2];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(loop_new(i, &loops[i], NULL), HERALD_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, run_layer_loop, loops[i]), 0);
    }
    struct listener_options options = layer_options();
    options.is_native = true;
    options.loops = loops;
    options.loop_count = 2;
    assert_int_equal(listener_open("tcp://127.0.0.1:0", &options, &listener, NULL), HERALD_OK);
    assert_int_equal(sem_init(&let_go, 0, 0), 0);
    loop_post(loops[1], &work);
    unsigned greeted = count_greeted(listener_url(listener), STRANGERS / 2);
    (void)sem_post(&let_go);
    assert_int_equal(greeted, STRANGERS / 2);
    assert_true(listener_close(listener));
    for (unsigned i = 0; i < 2; i++) {
        loop_stop(loops[i]);
        pthread_join(threads[i], NULL);
        loop_free(loops[i]);
    }
}

/* ---- the kernel's queue ---- */

/* How many connections may wait for the only listener on TCP of this process; 0: there is none. */
static unsigned read_backlog(void) {
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        struct tcp_info info;
        socklen_t bytes = sizeof(info);
        int listens = 0;
        socklen_t listens_bytes = sizeof(listens);
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_bytes) == 0 && listens &&
            getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0) {
            return info.tcpi_sacked; /* of a socket that listens: its limit */
        }
    }
    return 0;
}

static unsigned read_kernel_limit(void) {
    unsigned limit = 0;
    FILE *file = fopen("/proc/sys/net/core/somaxconn", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%u", &limit), 1);
    fclose(file);
    return limit;
}

static void test_exchange_listener_lets_a_thousand_clients_come_at_once(void **state) {
    struct listener *listener = NULL;
    const struct listener_options options = layer_options();
    unsigned limit = read_kernel_limit();
    (void)state;
    assert_int_equal(listener_open("tcp://127.0.0.1:0", &options, &listener, NULL), HERALD_OK);
    assert_int_equal(read_backlog(), limit < LISTENER_BACKLOG ? limit : LISTENER_BACKLOG);
    assert_true(listener_close(listener));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_exchange_hands_request_up_and_reply_down),
        TEST(test_exchange_cancel_reaches_call_that_runs),
        TEST(test_exchange_is_parked_until_its_cancel_message_has_arrived),
        TEST(test_exchange_of_vanished_client_is_cancelled),
        TEST(test_exchange_that_is_never_answered_ends_with_its_listener),
        TEST(test_exchange_gives_back_the_words_of_devices),
        TEST(test_exchange_cuts_off_who_sends_no_words),
        TEST(test_exchange_listener_opens_no_context_while_its_socket_closes),
        TEST(test_exchange_listener_lets_a_thousand_clients_come_at_once),
        TEST(test_exchange_listener_removes_no_file_but_a_socket),
        cmocka_unit_test(test_exchange_listener_on_a_loop_that_never_ran_is_closed),
        cmocka_unit_test(test_exchange_busy_loop_is_not_given_all_connections),
    };
    return cmocka_run_group_tests_name("transport.exchange", tests, NULL, NULL);
}
