#include "client/src/stream_shim.h"
#include "server/transport/listener.h"
#include "tests/unit/rpc/certificates.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"
#include "tests/unit/rpc/hangup.h"
#include "tests/unit/rpc/tls_peer.h"
#include "tests/unit/transport/leaving_server.h"
#include "tests/unit/transport/stranger.h"

#include <dirent.h>
#include <limits.h>
#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Peers that leave with requests under way and the next one half in, thousands of them, while the watchdog does what it
 * always does: every one of them is noticed, and nng is as well as before.
 */

#define THREADS     3
#define VISITS      800 /* of each thread */
#define TLS_VISITS  300
#define FRAMES_MAX  8u
#define FRAME_BYTES 256u

struct leaver {
    struct fixture *fixture;
    pthread_t thread;
    unsigned seed, visits;
    void (*visit)(const char *url, const uint8_t *frames, size_t bytes, enum stranger_leaving how);
    bool (*answers)(const char *url);
};

/* One that is not answered, one that a loop answers, six that are answered as they come, while the next one is read. */
static Herald__Rpc__V1__Request choose_request(unsigned random) {
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    request.method = (char *)"herald.rpc.v1.Health/Check";
    return random % 8 == 0 ? wait_job_envelope() : random % 8 == 1 ? get_job_envelope() : request;
}

/* Returns the frame's size. */
static size_t make_frame(const char *url, unsigned random, uint8_t frame[FRAME_BYTES]) {
    static const uint8_t ID[] = {0x80, 0, 0, 1};
    const Herald__Rpc__V1__Request request = choose_request(random);
    size_t body = sizeof(ID) + herald__rpc__v1__request__get_packed_size(&request);
    size_t head = stranger_frame_head(url, body, frame);
    assert_true(head + body <= FRAME_BYTES);
    memcpy(frame + head, ID, sizeof(ID));
    herald__rpc__v1__request__pack(&request, frame + head + sizeof(ID));
    return head + body;
}

/* Some requests; the last one, every other time, cut off anywhere. */
static size_t make_frames(struct leaver *leaver, uint8_t frames[FRAMES_MAX * FRAME_BYTES]) {
    unsigned count = 1 + (unsigned)rand_r(&leaver->seed) % FRAMES_MAX;
    size_t used = 0, last = 0;
    for (unsigned i = 0; i < count; i++) {
        used += last = make_frame(leaver->fixture->url, (unsigned)rand_r(&leaver->seed), frames + used);
    }
    return rand_r(&leaver->seed) % 2 ? used : used - (size_t)rand_r(&leaver->seed) % last;
}

static void *leave_often(void *arg) {
    struct leaver *leaver = arg;
    uint8_t frames[FRAMES_MAX * FRAME_BYTES];
    for (unsigned i = 0; i < leaver->visits; i++) {
        size_t bytes = make_frames(leaver, frames);
        leaver->visit(leaver->fixture->url, frames, bytes, (enum stranger_leaving)(i % STRANGER_LEAVINGS));
    }
    return NULL;
}

static void visit_plainly(const char *url, const uint8_t *frames, size_t bytes, enum stranger_leaving how) {
    int fd = stranger_connect(url);
    if (fd >= 0 && stranger_greet(fd)) {
        stranger_send(fd, frames, bytes);
    }
    stranger_leave(fd, how);
}

static bool answers_plainly(const char *url) {
    return answers(url, 10000);
}

static void visit_by_tls(const char *url, const uint8_t *frames, size_t bytes, enum stranger_leaving how) {
    (void)how;
    tls_send_and_hang_up(url, NULL, frames, bytes);
}

static bool answers_by_tls(const char *url) {
    return tls_peer_call_once(url, &(struct tls_peer){"ca", NULL, "127.0.0.1"}) == 0;
}

static unsigned count_descriptors(void) {
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count;
}

struct calm {
    struct fixture *fixture;
    unsigned descriptors, peers;
};

/* The watchdog comes by every second, but does not stay. */
static bool is_calm(void *arg) {
    struct calm *calm = arg;
    calm->peers = listener_connection_count(rpc_server_listener(calm->fixture->server, 0));
    return calm->peers == 0 && atomic_load(&calm->fixture->waiting) == 0 && count_descriptors() <= calm->descriptors;
}

static void assert_calm(struct fixture *fixture, unsigned descriptors) {
    struct calm calm = {fixture, descriptors, 0};
    if (!eventually(is_calm, &calm)) {
        fail_msg(
            "%u closed connections are not noticed, %u calls of vanished peers go on, %u descriptors of %u are open",
            calm.peers, atomic_load(&fixture->waiting), count_descriptors(), descriptors);
    }
}

static void storm(const struct leaver *leaver) {
    struct leaver leavers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        leavers[i] = *leaver;
        leavers[i].seed = i + 1;
        assert_int_equal(pthread_create(&leavers[i].thread, NULL, leave_often, &leavers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(leavers[i].thread, NULL), 0);
    }
}

static void check_vanishing(const struct leaver *leaver) {
    struct fixture *fixture = leaver->fixture;
    unsigned long ended = herald_stream_shim_ended_count();
    assert_true(leaver->answers(fixture->url));
    assert_calm(fixture, UINT_MAX);
    unsigned descriptors = count_descriptors();
    storm(leaver);
    assert_calm(fixture, descriptors);
    assert_true(leaver->answers(fixture->url));
    assert_false(rpc_server_is_hung(fixture->server));
    assert_true(fixture_is_native() || herald_stream_shim_active());
    if (!fixture_is_native() && herald_stream_shim_needed() && herald_stream_shim_ended_count() == ended) {
        fail_msg("nng has dropped nothing: the storm proves nothing");
    }
}

static void test_vanishing_peers_on_tcp_are_all_noticed(void **state) {
    fixture_listen(*state);
    check_vanishing(
        &(struct leaver){.fixture = *state, .visits = VISITS, .visit = visit_plainly, .answers = answers_plainly});
}

static void test_vanishing_peers_on_ipc_are_all_noticed(void **state) {
    listen_on_unix_socket(*state);
    check_vanishing(
        &(struct leaver){.fixture = *state, .visits = VISITS, .visit = visit_plainly, .answers = answers_plainly});
}

static void set(char **setting, const char *value) {
    free(*setting);
    *setting = strdup(value);
}

/* nng 1.11 does not notice TLS connections that are reset with messages in them: a fault of its own. */
static void test_vanishing_peers_on_tls_are_all_noticed(void **state) {
    struct fixture *fixture = *state;
    struct herald_error error;
    if (!herald_stream_shim_needed()) {
        fixture_start(fixture);
        skip();
    }
    make_ca("ca");
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = "DNS:127.0.0.1,IP:127.0.0.1"});
    set(&fixture->settings.tls_cert_file, certificate_path("server", ".pem"));
    set(&fixture->settings.tls_key_file, certificate_path("server", ".key"));
    fixture_start(fixture);
    assert_int_equal(rpc_server_listen(fixture->server, "tls+tcp://127.0.0.1:0", &error), HERALD_OK);
    fixture->url = rpc_server_url(fixture->server);
    check_vanishing(
        &(struct leaver){.fixture = fixture, .visits = TLS_VISITS, .visit = visit_by_tls, .answers = answers_by_tls});
}

/* The other way round. This program serves too: the same cure is there for its calls of others. */
static void test_vanishing_servers_are_dialled_again(void **state) {
    fixture_listen(*state);
    unsigned visits = call_leaving_server();
    if (visits < LEAVING_SERVER_VISITS) {
        fail_msg("after %u connections that were lost none is made any more", visits);
    }
    assert_false(rpc_server_is_hung(((struct fixture *)*state)->server));
}

static void test_vanishing_cure_is_there_only_where_needed(void **state) {
    fixture_listen(*state);
    assert_true(answers_plainly(((struct fixture *)*state)->url));
    assert_int_equal(herald_stream_shim_needed(), NNG_MAJOR_VERSION * 100 + NNG_MINOR_VERSION < 108);
    assert_true(fixture_is_native() || herald_stream_shim_active());
}

static void count_end(void *user) {
    ++*(int *)user;
}

/* An aio that has been stopped takes no receive, and its owner is not told: that is not the cure's business. */
static void test_vanishing_cure_leaves_streams_of_others_alone(void **state) {
    nng_stream_dialer *dialer;
    nng_aio *aio;
    int ends = 0;
    fixture_listen(*state);
    assert_int_equal(nng_stream_dialer_alloc(&dialer, ((struct fixture *)*state)->url), 0);
    assert_int_equal(nng_aio_alloc(&aio, count_end, &ends), 0);
    nng_stream_dialer_dial(dialer, aio);
    nng_aio_wait(aio);
    assert_int_equal(nng_aio_result(aio), 0);
    nng_stream *stream = nng_aio_get_output(aio, 0);
    nng_aio_stop(aio);
    nng_stream_recv(stream, aio);
    nng_aio_wait(aio);
    if (herald_stream_shim_needed()) {
        assert_int_equal(ends, 1); /* the dialling */
    }
#ifdef __SANITIZE_THREAD__
    nng_stream_close(stream); /* how nng, which is not built for it, orders the end of a stream is not seen by it */
#else
    nng_stream_free(stream);
#endif
    nng_stream_dialer_free(dialer);
    nng_aio_free(aio);
}

static int set_up(void **state) {
    *state = fixture_new();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
        TEST(test_vanishing_cure_is_there_only_where_needed), TEST(test_vanishing_cure_leaves_streams_of_others_alone),
        TEST(test_vanishing_peers_on_tcp_are_all_noticed),    TEST(test_vanishing_peers_on_ipc_are_all_noticed),
        TEST(test_vanishing_peers_on_tls_are_all_noticed),    TEST(test_vanishing_servers_are_dialled_again),
    };
    certificates_init();
    int failed = cmocka_run_group_tests_name("transport.vanishing", tests, NULL, NULL);
    certificates_fini();
    return failed;
}
