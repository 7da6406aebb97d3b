#include "cmocka_headers.h"
#include "fixture.h"
#include "server/process/watchdog.h"
#include "server/rpc/interceptor.h"
#include "server/rpc/rpc_call.h"
#include "server/runtime/call.h"
#include "server/transport/listener_private.h"
#include "server/transport/unread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Connections that do not read their replies, when places are short. */

static void assert_served(struct raw_link *link) {
    const Herald__Rpc__V1__Request request = get_job_envelope();
    Herald__Rpc__V1__Response *response = raw_receive(link, raw_send_envelope(link, &request), 5000);
    assert_non_null(response);
    assert_string_equal(response->reason, "");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

/* ---- who holds the most ---- */

static void test_unread_largest_shares_are_chosen(void **state) {
    struct unread_share shares[] = {{7, 10}, {5, 50}, {7, 40}, {9, 49}, {3, 99}, {5, 60}, {9, 1}, {4, 54}};
    (void)state;
    /* 3: 99, 4: 54, 5: 110, 7: 50, 9: 50 */
    assert_int_equal(unread_choose(shares, sizeof(shares) / sizeof(*shares)), 2);
    assert_int_equal(shares[0].pipe_id, 3);
    assert_int_equal(shares[1].pipe_id, 5);
    assert_int_equal(shares[1].weight, 110);
    assert_int_equal(unread_choose(shares, 0), 0);
}

static void test_unread_little_is_nobodys_fault(void **state) {
    struct unread_share shares[] = {{7, 2000}, {8, 2000}, {9, 4 * 1024 * 1024}};
    (void)state;
    assert_false(unread_is_much(shares, 0, 4));
    assert_false(unread_is_much(shares, 2, 4128));
    assert_false(unread_is_much(shares, 2, 24));
    assert_true(unread_is_much(shares, 2, 16));
    assert_true(unread_is_much(shares, 3, 4128)); /* by memory */
}

/* ---- all of it ---- */

/* A question with a reply of 16 KB. */
static const char QUESTION[] = "\0\0\0\0\0\0\0\x49\x80\0\0\1"
                               "herald.rpc.v1.Reflection/Describe {\"name\":\"herald.job.v1.JobService\"}";

#define HURRIED 3000u

struct flood {
    int fd;
    unsigned hurried; /* questions that are sent as fast as the server takes them; then one with each look */
    size_t sent;      /* of the current one, bytes */
};

/* Asks on, and reads nothing; true when the server has ended the connection. */
static bool is_cut_off(void *arg) {
    struct flood *flood = arg;
    do {
        ssize_t sent =
            send(flood->fd, QUESTION + flood->sent, sizeof(QUESTION) - 1 - flood->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            return errno == EPIPE || errno == ECONNRESET;
        }
        flood->sent = (flood->sent + (size_t)sent) % (sizeof(QUESTION) - 1);
        flood->hurried -= flood->sent == 0 && flood->hurried > 0;
    } while (flood->hurried > 0);
    return false;
}

static void check_flood_is_cut_off(uint32_t max_in_flight) {
    struct fixture *fixture = fixture_new();
    struct raw_link deaf, healthy;
    fixture->settings.rpc_max_in_flight = max_in_flight;
    fixture->settings.rpc_spare_contexts = 4;
    fixture_listen(fixture);
    raw_link_open(&healthy, fixture->url);
    raw_link_open(&deaf, fixture->url);
    struct flood flood = {.fd = deaf.fd, .hurried = HURRIED};
    assert_true(eventually(is_cut_off, &flood));
    assert_served(&healthy);
    raw_link_close(&deaf);
    raw_link_close(&healthy);
    fixture_free(fixture);
}

/* Refusals fill the spare exchanges as well: without a cure nobody is heard for ten seconds, again and again. */
static void test_unread_flood_does_not_keep_the_places(void **state) {
    (void)state;
    check_flood_is_cut_off(8);
}

/* Places are not short. A loop does not read on from a connection that does not read: it keeps no more. */
static void test_unread_flood_does_not_keep_memory(void **state) {
    (void)state;
    SKIP_WITHOUT_OTHER_THREADS();
    check_flood_is_cut_off(65536);
}

static bool has_nothing_unsent(void *arg) {
    const struct fixture *fixture = arg;
    return atomic_load(&rpc_server_listener(fixture->server, 0)->exchanges.unsent_bytes) == 0;
}

static void test_unread_flood_is_not_read_on(void **state) {
    const struct timespec pause = {.tv_nsec = 1000000};
    struct raw_link deaf, healthy;
    (void)state;
    if (!fixture_is_native()) {
        skip();
    }
    struct fixture *fixture = fixture_new();
    fixture_listen(fixture);
    raw_link_open(&healthy, fixture->url);
    raw_link_open(&deaf, fixture->url);
    struct flood flood = {.fd = deaf.fd, .hurried = HURRIED};
    size_t most = 0;
    for (int i = 0; i < 300; i++) {
        assert_false(is_cut_off(&flood));
        size_t unsent = atomic_load(&rpc_server_listener(fixture->server, 0)->exchanges.unsent_bytes);
        most = unsent > most ? unsent : most;
        nanosleep(&pause, NULL);
    }
    assert_in_range(most, 100 * 1024, 512 * 1024);
    assert_served(&healthy);
    raw_link_close(&deaf);
    assert_true(eventually(has_nothing_unsent, fixture));
    raw_link_close(&healthy);
    fixture_free(fixture);
}

#define SLOW_QUESTIONS 400u
#define SLOW_S         12
/* So little that the kernel takes nothing more of the server in that time. */
#define SLOW_BYTES 1024u
/* After that time; a small window is slow. */
#define SLOW_READS_MORE 10

struct slow {
    int fd;
    uint8_t head[8];
    size_t head_bytes, rest; /* of the reply that is being read */
    unsigned replies;
};

/* Reads up to @bytes. False: the server has ended the connection. */
static bool read_some(struct slow *slow, size_t bytes) {
    static uint8_t data[65536];
    ssize_t count = recv(slow->fd, data, bytes, 0);
    for (ssize_t at = 0; at < count;) {
        if (slow->head_bytes < sizeof(slow->head)) {
            slow->head[slow->head_bytes++] = data[at++];
            slow->rest = (size_t)slow->head[5] << 16 | (size_t)slow->head[6] << 8 | slow->head[7];
            continue;
        }
        size_t part = slow->rest < (size_t)(count - at) ? slow->rest : (size_t)(count - at);
        slow->rest -= part;
        at += (ssize_t)part;
        if (slow->rest == 0) {
            slow->replies++;
            slow->head_bytes = 0;
        }
    }
    return count > 0;
}

static void *ask_on(void *arg) {
    const int *fd = arg;
    for (unsigned i = 0; i < SLOW_QUESTIONS; i++) {
        (void)send(*fd, QUESTION, sizeof(QUESTION) - 1, MSG_NOSIGNAL);
    }
    return NULL;
}

/* Who reads slowly, but reads, goes on, however long that takes. */
static void test_unread_slow_reader_keeps_its_connection(void **state) {
    const struct timespec pause = {.tv_nsec = 100000000};
    struct raw_link link;
    pthread_t asker;
    (void)state;
    struct fixture *fixture = fixture_new();
    fixture_listen(fixture);
    raw_link_open(&link, fixture->url);
    struct slow slow = {.fd = link.fd};
    assert_int_equal(setsockopt(link.fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int)), 0);
    assert_int_equal(pthread_create(&asker, NULL, ask_on, &link.fd), 0);
    for (int i = 0; i < SLOW_S * 10; i++) {
        assert_true(read_some(&slow, SLOW_BYTES));
        nanosleep(&pause, NULL);
    }
    assert_in_range(slow.replies, 1, SLOW_QUESTIONS / 2);
    for (int i = 0; i < SLOW_READS_MORE; i++) {
        assert_true(read_some(&slow, 65536));
    }
    assert_int_equal(shutdown(link.fd, SHUT_RDWR), 0); /* ends the asker */
    pthread_join(asker, NULL);
    raw_link_close(&link);
    fixture_free(fixture);
}

int main(void) {
    watchdog_enable(false); /* its calls would need places too */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unread_largest_shares_are_chosen),
        cmocka_unit_test(test_unread_little_is_nobodys_fault),
        cmocka_unit_test(test_unread_flood_does_not_keep_the_places),
        cmocka_unit_test(test_unread_flood_does_not_keep_memory),
        cmocka_unit_test(test_unread_flood_is_not_read_on),
    };
    const struct CMUnitTest native_tests[] = {cmocka_unit_test(test_unread_slow_reader_keeps_its_connection)};
    int failed = cmocka_run_group_tests_name("rpc.unread", tests, NULL, NULL);
    return fixture_is_native() ? failed + cmocka_run_group_tests_name("rpc.unread, native", native_tests, NULL, NULL)
                               : failed;
}
