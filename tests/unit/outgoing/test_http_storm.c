/* Posts on kept-alive connections that end at every moment: none arrives twice, and each result is true. */
#include "server/outgoing/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SENDERS         24u
#define POSTS_OF_SENDER 50u
#define POSTS           (SENDERS * POSTS_OF_SENDER)
#define ANSWER          "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

/* --- the peer ---------------------------------------------------------------------------------------------------- */

/* What a connection does with a request, by the number of the request on it and of the connection. */
enum storm_deed { STORM_ANSWERS, STORM_ANSWERS_AND_CLOSES, STORM_CLOSES, STORM_RESETS, STORM_DEEDS };

struct storm {
    int listener, port;
    pthread_t thread;
    atomic_uint arrived[POSTS];
};

struct storm_connection {
    struct storm *storm;
    int fd;
    unsigned number;
};

/* Requests of this test come in one piece. False: the connection has ended. */
static bool read_storm_request(const struct storm_connection *connection) {
    char request[2048];
    unsigned post;
    ssize_t got = read(connection->fd, request, sizeof(request) - 1);
    if (got <= 0) {
        return false;
    }
    request[got] = '\0';
    if (sscanf(request, "POST /%u ", &post) != 1 || post >= POSTS || strstr(request, "\r\n\r\n") == NULL) {
        abort();
    }
    atomic_fetch_add(&connection->storm->arrived[post], 1);
    return true;
}

static void *serve_connection(void *arg) {
    struct storm_connection *connection = arg;
    bool open = true;
    for (unsigned i = 0; open && read_storm_request(connection); i++) {
        enum storm_deed deed = i == 0 ? STORM_ANSWERS : (connection->number * 7 + i * 3) % STORM_DEEDS;
        if (deed == STORM_ANSWERS || deed == STORM_ANSWERS_AND_CLOSES) {
            open = send(connection->fd, ANSWER, strlen(ANSWER), MSG_NOSIGNAL) > 0 && deed == STORM_ANSWERS;
        } else {
            struct linger at_once = {.l_onoff = deed == STORM_RESETS};
            setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
            open = false;
        }
    }
    close(connection->fd);
    free(connection);
    return NULL;
}

/* Ends when the listener is shut down, after the last connection has ended. */
static void *accept_connections(void *arg) {
    struct storm *storm = arg;
    static pthread_t threads[POSTS * 2];
    unsigned count = 0;
    int fd;
    while ((fd = accept(storm->listener, NULL, NULL)) >= 0) {
        struct storm_connection *connection = malloc(sizeof(*connection));
        if (connection == NULL || count == POSTS * 2) {
            abort();
        }
        *connection = (struct storm_connection){.storm = storm, .fd = fd, .number = count};
        if (pthread_create(&threads[count++], NULL, serve_connection, connection) != 0) {
            abort();
        }
    }
    while (count > 0) {
        pthread_join(threads[--count], NULL);
    }
    return NULL;
}

static void storm_start(struct storm *storm) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    storm->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(storm->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(storm->listener, 128), 0);
    assert_int_equal(getsockname(storm->listener, (struct sockaddr *)&address, &length), 0);
    storm->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&storm->thread, NULL, accept_connections, storm), 0);
}

static void storm_stop(struct storm *storm) {
    shutdown(storm->listener, SHUT_RDWR);
    pthread_join(storm->thread, NULL);
    close(storm->listener);
}

/* --- the senders ------------------------------------------------------------------------------------------------- */

struct posting_run {
    struct storm *storm;
    struct loop *loop;
    struct http *http;
    struct call call;
    unsigned next;
    enum herald_code results[POSTS];
};

static void sender_body(void *arg) {
    struct posting_run *run = arg;
    for (unsigned i = 0; i < POSTS_OF_SENDER; i++) {
        char url[64];
        unsigned post = run->next++;
        snprintf(url, sizeof(url), "http://127.0.0.1:%d/%u", run->storm->port, post);
        struct http_request request = {
            .method = "POST", .url = url, .body = "{}", .body_bytes = post % 2 * 2, .timeout_ms = 20000, .reuse = true};
        struct http_response response;
        run->results[post] = http_send(run->http, &request, &response, NULL);
    }
}

static void senders_body(void *arg) {
    struct posting_run *run = arg;
    struct task_group group;
    task_group_init(&group);
    for (unsigned i = 0; i < SENDERS; i++) {
        (void)task_group_spawn(&group, "sender", sender_body, run, NULL);
    }
    task_group_join(&group);
    http_close(run->http);
}

static void test_http_storm_of_ending_connections_repeats_nothing(void **state) {
    (void)state;
    static struct storm storm;
    static struct posting_run run;
    unsigned accepted = 0, not_sent = 0, unknown = 0;
    run.storm = &storm;
    storm_start(&storm);
    assert_int_equal(loop_new(0, &run.loop, NULL), HERALD_OK);
    assert_int_equal(http_open(run.loop, &run.http, NULL), HERALD_OK);
    call_init(&run.call, "test", NULL, 0, 0);
    assert_int_equal(task_spawn(run.loop, &run.call, "senders", senders_body, &run, NULL), HERALD_OK);
    loop_stop(run.loop);
    loop_run(run.loop);
    loop_free(run.loop);
    call_fini(&run.call);
    storm_stop(&storm);
    assert_int_equal(run.next, POSTS);
    for (unsigned i = 0; i < POSTS; i++) {
        unsigned arrived = atomic_load(&storm.arrived[i]);
        assert_in_range(arrived, 0, 1);
        assert_true(run.results[i] == HERALD_OK ? arrived == 1 : run.results[i] != HERALD_UNAVAILABLE || arrived == 0);
        accepted += run.results[i] == HERALD_OK;
        not_sent += run.results[i] == HERALD_UNAVAILABLE;
        unknown += run.results[i] == HERALD_OUTCOME_UNKNOWN;
    }
    assert_int_equal(accepted + not_sent + unknown, POSTS);
    assert_in_range(accepted, 1, POSTS - 1);
    assert_in_range(unknown, 1, POSTS - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_http_storm_of_ending_connections_repeats_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
