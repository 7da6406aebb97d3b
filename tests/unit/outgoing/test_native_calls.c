#include "client/src/call_pool.h"
#include "client/src/channel.h"
#include "client/src/stream_shim.h"
#include "herald/rpc/v1/health.client.h"
#include "server/outgoing/native_calls.h"
#include "tests/unit/client/peer.h"
#include "tests/unit/rpc/cmocka_headers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What is the native engine's own; that calls over it are as over nng is seen by unit.client.native_call and
 * unit.client.native_endpoints. */

#define LOOPS   2u
#define CALLS   3000u
#define AT_ONCE 50u

static const Herald__Rpc__V1__HealthCheckRequest plain_request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;

/* ---- loops, and calls that they make ---- */

struct loops {
    struct loop *all[LOOPS];
    pthread_t threads[LOOPS];
    struct native_calls *calls;
};

static void *run_loop(void *arg) {
    loop_run(arg);
    return NULL;
}

static void make_loops(struct loops *loops) {
    for (unsigned i = 0; i < LOOPS; i++) {
        assert_int_equal(loop_new(i, &loops->all[i], NULL), HERALD_OK);
    }
    assert_int_equal(native_calls_new(loops->all, LOOPS, &loops->calls, NULL), HERALD_OK);
}

static void start_loops(struct loops *loops) {
    for (unsigned i = 0; i < LOOPS; i++) {
        assert_int_equal(pthread_create(&loops->threads[i], NULL, run_loop, loops->all[i]), 0);
    }
}

static void stop_loops(struct loops *loops) {
    for (unsigned i = 0; i < LOOPS; i++) {
        loop_stop(loops->all[i]);
    }
    for (unsigned i = 0; i < LOOPS; i++) {
        assert_int_equal(pthread_join(loops->threads[i], NULL), 0);
    }
}

static void free_loops(struct loops *loops) {
    native_calls_free(loops->calls);
    for (unsigned i = 0; i < LOOPS; i++) {
        loop_free(loops->all[i]);
    }
}

static struct herald_channel *open_channel(const struct loops *loops, const char *url,
                                           const struct herald_channel_options *options) {
    struct herald_channel *channel = NULL;
    assert_int_equal(herald_channel_open_on(native_calls_engine(loops->calls), url, options, &channel, NULL),
                     HERALD_OK);
    return channel;
}

/* Calls that one loop makes. Its thread only, but for what is atomic. */
struct caller {
    struct loop_work work; /* first */
    struct loop *loop;
    struct herald_channel *channel;
    unsigned wanted, started;
    atomic_int good, lost, elsewhere;
    atomic_int ended;
};

static void start_more(struct caller *caller);

static void on_end(void *user, struct herald_reply *reply) {
    struct caller *caller = user;
    bool is_lost = reply->error.code == HERALD_UNAVAILABLE && reply->outcome == HERALD_MAYBE_EXECUTED;
    atomic_fetch_add(&caller->good, reply->error.code == HERALD_OK);
    atomic_fetch_add(&caller->lost, is_lost);
    atomic_fetch_add(&caller->elsewhere, loop_current() != caller->loop);
    herald_reply_clear(reply);
    start_more(caller);
    atomic_fetch_add(&caller->ended, 1);
}

static void start_more(struct caller *caller) {
    if (caller->started < caller->wanted) {
        caller->started++;
        assert_int_equal(
            herald_rpc_v1_health_check_start(caller->channel, &plain_request, NULL, on_end, caller, NULL, NULL),
            HERALD_OK);
    }
}

static void on_start(struct loop_work *work) {
    for (unsigned i = 0; i < AT_ONCE; i++) {
        start_more((struct caller *)work);
    }
}

static void call_from_all_loops(const struct loops *loops, struct herald_channel *channel,
                                struct caller callers[LOOPS]) {
    for (unsigned i = 0; i < LOOPS; i++) {
        memset(&callers[i], 0, sizeof(callers[i]));
        callers[i].work.run = on_start;
        callers[i].loop = loops->all[i];
        callers[i].channel = channel;
        callers[i].wanted = CALLS;
        loop_post(loops->all[i], &callers[i].work);
    }
    for (unsigned i = 0; i < LOOPS; i++) {
        assert_true(wait_for_count(&callers[i].ended, CALLS));
        assert_int_equal(atomic_load(&callers[i].elsewhere), 0);
    }
}

static enum peer_action answer_well(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    const Herald__Rpc__V1__Response response = HERALD__RPC__V1__RESPONSE__INIT;
    (void)peer;
    (void)request;
    peer_append_response(reply, &response, NULL);
    return PEER_REPLY;
}

static enum peer_action answer_or_hang_up(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    return atomic_fetch_add((atomic_int *)peer->user, 1) % 100 == 99 ? PEER_HANG_UP : answer_well(peer, request, reply);
}

static enum peer_action answer_nothing(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    (void)peer;
    (void)request;
    (void)reply;
    return PEER_SILENT;
}

static void test_calls_of_a_loop_end_on_it_over_its_own_connection(void **state) {
    (void)state;
    struct loops loops;
    struct peer peer;
    struct caller callers[LOOPS];
    peer_open(&peer, "tcp://127.0.0.1:0", answer_well, NULL);
    make_loops(&loops);
    start_loops(&loops);
    struct herald_channel *channel = open_channel(&loops, peer.url, NULL);
    call_from_all_loops(&loops, channel, callers);
    for (unsigned i = 0; i < LOOPS; i++) {
        assert_int_equal(atomic_load(&callers[i].good), CALLS);
    }
    assert_int_equal(atomic_load(&channel->endpoints[0]->pipe_count), LOOPS);
    herald_channel_close(channel);
    stop_loops(&loops);
    free_loops(&loops);
    peer_close(&peer);
}

static void test_each_call_ends_once_while_connections_are_lost(void **state) {
    (void)state;
    const struct herald_channel_options once = {.retry = {.max_attempts = 1}};
    struct loops loops;
    struct peer peer;
    struct caller callers[LOOPS];
    atomic_int turn = 0;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_or_hang_up, &turn);
    make_loops(&loops);
    start_loops(&loops);
    struct herald_channel *channel = open_channel(&loops, peer.url, &once);
    call_from_all_loops(&loops, channel, callers);
    for (unsigned i = 0; i < LOOPS; i++) {
        assert_int_equal(atomic_load(&callers[i].ended), CALLS);
        assert_int_equal(atomic_load(&callers[i].good) + atomic_load(&callers[i].lost), CALLS);
        assert_true(atomic_load(&callers[i].lost) > 0);
    }
    herald_channel_close(channel);
    stop_loops(&loops);
    free_loops(&loops);
    peer_close(&peer);
}

/* ---- a server that takes connections and reads nothing ---- */

#define BIG_BYTES 100000u
#define BIG_CALLS 200

struct ends {
    atomic_int count, not_sent, maybe;
};

static void on_big_end(void *user, struct herald_reply *reply) {
    struct ends *ends = user;
    assert_int_equal(reply->error.code, HERALD_DEADLINE_EXCEEDED);
    atomic_fetch_add(&ends->not_sent, reply->outcome == HERALD_NOT_SENT);
    atomic_fetch_add(&ends->maybe, reply->outcome == HERALD_MAYBE_EXECUTED);
    herald_reply_clear(reply);
    atomic_fetch_add(&ends->count, 1);
}

static int listen_deaf(char url[64]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0), little = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    snprintf(url, 64, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

static int accept_and_greet(int fd) {
    static const uint8_t greeting[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    int connection = accept(fd, NULL, NULL);
    assert_true(connection >= 0);
    assert_int_equal(write(connection, greeting, sizeof(greeting)), sizeof(greeting));
    return connection;
}

/* How many whole requests lie in what a deaf server could have read; short ones cancel calls. */
static int count_requests(int connection) {
    static uint8_t bytes[BIG_CALLS * (BIG_BYTES + 2000u)];
    size_t count = 0, at = 8;
    ssize_t got;
    int requests = 0;
    while (count < sizeof(bytes) && (got = recv(connection, bytes + count, sizeof(bytes) - count, 0)) > 0) {
        count += (size_t)got;
    }
    while (at + 8 <= count) {
        uint64_t length = 0;
        for (int i = 0; i < 8; i++) {
            length = length << 8 | bytes[at + (size_t)i];
        }
        at += 8 + (size_t)length;
        requests += length > BIG_BYTES && at <= count;
    }
    return requests;
}

/* What is said not to be sent never arrives. */
static void test_requests_that_nobody_reads_are_not_sent(void **state) {
    (void)state;
    const struct herald_channel_options options = {.max_message_bytes = 1u << 20};
    const struct herald_call_options hasty = {.timeout_ms = 500};
    struct loops loops;
    struct ends ends = {0};
    char url[64], *service = malloc(BIG_BYTES + 1);
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    memset(service, 'x', BIG_BYTES);
    service[BIG_BYTES] = '\0';
    request.service = service;
    int fd = listen_deaf(url);
    make_loops(&loops);
    start_loops(&loops);
    struct herald_channel *channel = open_channel(&loops, url, &options);
    int connection = accept_and_greet(fd);
    for (int i = 0; i < BIG_CALLS; i++) {
        assert_int_equal(herald_rpc_v1_health_check_start(channel, &request, &hasty, on_big_end, &ends, NULL, NULL),
                         HERALD_OK);
    }
    assert_true(wait_for_count(&ends.count, BIG_CALLS));
    herald_channel_close(channel);
    stop_loops(&loops);
    free_loops(&loops);
    assert_true(atomic_load(&ends.not_sent) > 0);
    assert_true(atomic_load(&ends.maybe) > 0);
    assert_in_range(count_requests(connection), 1, atomic_load(&ends.maybe));
    close(connection);
    close(fd);
    free(service);
}

/* ---- a server that greets and breaks the protocol ---- */

#define BREACHES_MS 1000
/* With full jitter a wait may be short, but not that many in a row. */
#define BREACHES_MAX 40

struct breaker {
    int fd;
    atomic_int breaches;
};

/* Sends what is too short to be a reply. */
static void *break_protocol(void *arg) {
    static const uint8_t breach[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'x', 'x'};
    struct breaker *breaker = arg;
    int connection;
    while ((connection = accept(breaker->fd, NULL, NULL)) >= 0) {
        atomic_fetch_add(&breaker->breaches, 1);
        assert_int_equal(send(connection, breach, sizeof(breach), MSG_NOSIGNAL), sizeof(breach));
        close(connection);
    }
    return NULL;
}

/* That a connection came about does not end the backoff. */
static void test_server_that_breaks_the_protocol_is_called_less_and_less_often(void **state) {
    (void)state;
    const struct timespec time = {.tv_sec = BREACHES_MS / 1000, .tv_nsec = BREACHES_MS % 1000 * 1000000};
    struct loops loops;
    char url[64];
    struct breaker breaker = {.fd = listen_deaf(url)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, break_protocol, &breaker), 0);
    make_loops(&loops);
    start_loops(&loops);
    struct herald_channel *channel = open_channel(&loops, url, NULL);
    assert_true(wait_for_count(&breaker.breaches, 2));
    nanosleep(&time, NULL);
    assert_in_range(atomic_load(&breaker.breaches), 2, BREACHES_MAX);
    herald_channel_close(channel);
    stop_loops(&loops);
    free_loops(&loops);
    shutdown(breaker.fd, SHUT_RD);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(breaker.fd);
}

/* ---- the order of the end ---- */

static void test_channel_closes_after_its_loops_have_ended(void **state) {
    (void)state;
    const struct herald_channel_options options = {.health_check_ms = 1};
    struct loops loops;
    struct peer peers[2];
    char urls[330];
    for (int i = 0; i < 2; i++) {
        peer_open(&peers[i], "tcp://127.0.0.1:0", answer_nothing, NULL); /* to health checks too */
    }
    snprintf(urls, sizeof(urls), "%s,%s", peers[0].url, peers[1].url);
    make_loops(&loops);
    struct herald_channel *channel = open_channel(&loops, urls, &options);
    start_loops(&loops);
    assert_true(wait_for_count(&peers[0].received, 1));
    assert_true(wait_for_count(&peers[1].received, 1));
    stop_loops(&loops);
    herald_channel_close(channel);
    free_loops(&loops);
    for (int i = 0; i < 2; i++) {
        peer_close(&peers[i]);
    }
}

static void test_channel_closes_when_its_loops_never_ran(void **state) {
    (void)state;
    struct loops loops;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_well, NULL);
    make_loops(&loops);
    struct herald_channel *channel = open_channel(&loops, peer.url, NULL);
    herald_channel_close(channel);
    free_loops(&loops);
    peer_close(&peer);
}

static void test_engine_speaks_all_but_inproc(void **state) {
    (void)state;
    assert_true(native_calls_can("tcp://127.0.0.1:1"));
    assert_true(native_calls_can("ipc:///a,tcp6://[::1]:2,tcp4://host:3"));
    assert_true(native_calls_can("tcp://127.0.0.1:1,tls+tcp://host:1"));
    assert_false(native_calls_can("inproc://a"));
    assert_false(native_calls_can("tcp://127.0.0.1:1,inproc://a"));
    assert_false(native_calls_can(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_of_a_loop_end_on_it_over_its_own_connection),
        cmocka_unit_test(test_each_call_ends_once_while_connections_are_lost),
        cmocka_unit_test(test_requests_that_nobody_reads_are_not_sent),
        cmocka_unit_test(test_server_that_breaks_the_protocol_is_called_less_and_less_often),
        cmocka_unit_test(test_channel_closes_after_its_loops_have_ended),
        cmocka_unit_test(test_channel_closes_when_its_loops_never_ran),
        cmocka_unit_test(test_engine_speaks_all_but_inproc),
    };
    signal(SIGPIPE, SIG_IGN);
    herald_stream_shim_install(); /* for the peers, which are nng's */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
