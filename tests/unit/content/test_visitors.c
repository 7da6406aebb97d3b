/* Slow connections of the picture server: who makes way, who is sent away, and that others are served beside them. */
#include "server/content/picture_server.h"
#include "server/content/picture_store.h"
#include "server/content/visitors.h"
#include "server/outgoing/http_knock.h"
#include "server/runtime/call.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS    30000
#define SLOW       3000u /* connections: three times as many as there are places */
#define EVERY      100u  /* of them, one GET */
#define JOB        "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"
#define DRIBBLE    "GET /content/x HTTP/1.1\r\nA: "
#define PICTURE    "/content/" JOB "/simple.png"
#define GET_MS     5000u
#define CALM_MS    600000u
#define SOON_MS    300u
#define NEVER_MOST 100u

/* ---- the table ---- */

struct pair {
    int ours, theirs; /* the server's end, the peer's */
    struct visitor *visitor;
};

static struct sockaddr_in address_of(const char *text) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
    return address;
}

static struct pair enter(struct visitors *visitors, const char *address) {
    int fds[2];
    struct sockaddr_in from = address_of(address);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct pair pair = {.ours = fds[0], .theirs = fds[1]};
    pair.visitor = visitors_enter(visitors, pair.ours, (const struct sockaddr *)(const void *)&from);
    assert_non_null(pair.visitor);
    return pair;
}

static void leave(struct visitors *visitors, struct pair *pair) {
    visitors_leave(visitors, pair->visitor);
    close(pair->ours);
    close(pair->theirs);
}

static bool is_sent_away(const struct pair *pair, int wait_ms) {
    struct pollfd pollfd = {.fd = pair->theirs, .events = POLLIN};
    return poll(&pollfd, 1, wait_ms) == 1;
}

static struct visitors *table(unsigned most, unsigned share, uint32_t silent_ms, uint32_t answer_ms,
                              uint32_t protect_ms) {
    struct visitors *visitors = visitors_new(&(struct visitors_options){most, share, silent_ms, answer_ms, protect_ms});
    assert_non_null(visitors);
    return visitors;
}

static void test_visitor_that_is_silent_the_longest_makes_way(void **state) {
    (void)state;
    struct visitors *visitors = table(3, NEVER_MOST, CALM_MS, CALM_MS, CALM_MS);
    struct pair pairs[4];
    for (int i = 0; i < 3; i++) {
        pairs[i] = enter(visitors, "192.0.2.1");
    }
    visitor_asks(visitors, pairs[0].visitor, true); /* answered: makes no way */
    visitor_asks(visitors, pairs[1].visitor, true);
    visitor_asks(visitors, pairs[1].visitor, false); /* silent since its answer has ended: less long than the third */
    pairs[3] = enter(visitors, "192.0.2.1");
    assert_true(is_sent_away(&pairs[2], 0));
    assert_false(is_sent_away(&pairs[0], 0) || is_sent_away(&pairs[1], 0) || is_sent_away(&pairs[3], 0));
    for (int i = 0; i < 4; i++) {
        leave(visitors, &pairs[i]);
    }
    visitors_free(visitors);
}

static void test_visitor_of_an_address_beyond_its_share_makes_way_first(void **state) {
    (void)state;
    struct visitors *visitors = table(4, 2, CALM_MS, CALM_MS, CALM_MS);
    struct pair pairs[5] = {enter(visitors, "192.0.2.1"), enter(visitors, "192.0.2.2"), enter(visitors, "192.0.2.2"),
                            enter(visitors, "192.0.2.2"), enter(visitors, "192.0.2.3")};
    assert_true(is_sent_away(&pairs[1], 0));
    assert_false(is_sent_away(&pairs[0], 0));
    struct pair more = enter(visitors, "192.0.2.4"); /* nobody is beyond the share now */
    assert_true(is_sent_away(&pairs[0], 0));
    leave(visitors, &more);
    for (int i = 0; i < 5; i++) {
        leave(visitors, &pairs[i]);
    }
    visitors_free(visitors);
}

static void test_newcomer_makes_way_when_all_are_just_being_answered(void **state) {
    (void)state;
    struct visitors *visitors = table(1, NEVER_MOST, CALM_MS, CALM_MS, CALM_MS);
    struct pair first = enter(visitors, "192.0.2.1");
    visitor_asks(visitors, first.visitor, true);
    struct pair second = enter(visitors, "192.0.2.1");
    assert_true(is_sent_away(&second, 0));
    assert_false(is_sent_away(&first, 0));
    leave(visitors, &first);
    leave(visitors, &second);
    visitors_free(visitors);
    visitors = table(1, NEVER_MOST, CALM_MS, CALM_MS, 0); /* nobody is protected for long */
    first = enter(visitors, "192.0.2.1");
    visitor_asks(visitors, first.visitor, true);
    uint64_t since_us = clock_now_us();
    while (clock_now_us() == since_us) {
    }
    second = enter(visitors, "192.0.2.1");
    assert_true(is_sent_away(&first, 0));
    leave(visitors, &first);
    leave(visitors, &second);
    visitors_free(visitors);
}

static void test_visitors_that_take_too_long_are_sent_away(void **state) {
    (void)state;
    struct visitors *visitors = table(10, NEVER_MOST, SOON_MS, CALM_MS, CALM_MS);
    struct pair silent = enter(visitors, "192.0.2.1"), answered = enter(visitors, "192.0.2.1");
    visitor_asks(visitors, answered.visitor, true);
    assert_true(is_sent_away(&silent, WAIT_MS));
    assert_false(is_sent_away(&answered, 0));
    leave(visitors, &silent);
    leave(visitors, &answered);
    visitors_free(visitors);
    visitors = table(10, NEVER_MOST, CALM_MS, SOON_MS, CALM_MS);
    silent = enter(visitors, "192.0.2.1");
    answered = enter(visitors, "192.0.2.1");
    visitor_asks(visitors, answered.visitor, true);
    assert_true(is_sent_away(&answered, WAIT_MS));
    assert_false(is_sent_away(&silent, 0));
    leave(visitors, &silent);
    leave(visitors, &answered);
    visitors_free(visitors);
}

/* ---- the server ---- */

static char folder[] = "/tmp/herald-visitors-XXXXXX";

static struct picture_server *serve(unsigned *ret_port) {
    struct picture_server *server = NULL;
    assert_int_equal(picture_store_write(folder, JOB, "simple.png", "a png", 5, NULL), HERALD_OK);
    assert_int_equal(picture_server_start("http://127.0.0.1:0", folder, false, &server, NULL), HERALD_OK);
    *ret_port = (unsigned)atoi(strrchr(picture_server_url(server), ':') + 1);
    return server;
}

static size_t ignore_body(char *data, size_t size, size_t count, void *user) {
    (void)data;
    (void)user;
    return size * count;
}

static long get_status(const struct picture_server *server) {
    char url[512];
    long status = 0;
    CURL *easy = curl_easy_init();
    snprintf(url, sizeof(url), "%s" PICTURE, picture_server_url(server));
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)GET_MS);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore_body);
    curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    return status;
}

static int connect_to(unsigned port) {
    struct sockaddr_in address = address_of("127.0.0.1");
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
    return fd;
}

/* One more byte from each, as far as the server still takes it. */
static void dribble(const int *fds, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        (void)send(fds[i], "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

static void test_pictures_are_served_beside_thousands_of_slow_connections(void **state) {
    (void)state;
    static int fds[SLOW];
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    assert_true(files.rlim_cur > SLOW + PICTURE_CONNECTIONS + 100);
    unsigned port = 0;
    struct picture_server *server = serve(&port);
    for (unsigned i = 0; i < SLOW; i++) {
        fds[i] = connect_to(port);
        (void)send(fds[i], DRIBBLE, strlen(DRIBBLE), MSG_NOSIGNAL); /* it may have made way already */
        if (i % EVERY == 0) {
            dribble(fds, i + 1);
            assert_int_equal(get_status(server), 200);
        }
    }
    assert_int_equal(picture_server_check(server), 0);
    for (unsigned i = 0; i < SLOW; i++) {
        close(fds[i]);
    }
    assert_int_equal(get_status(server), 200);
    picture_server_stop(server);
}

static void test_server_that_lets_in_and_does_not_answer_is_found(void **state) {
    (void)state;
    char port[8];
    struct sockaddr_in address = address_of("127.0.0.1");
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0); /* the kernel lets in; nobody accepts */
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&address, &bytes), 0);
    snprintf(port, sizeof(port), "%u", ntohs(address.sin_port));
    assert_int_equal(http_knock("127.0.0.1", port, SOON_MS), ETIMEDOUT);
    close(fd);
    assert_int_equal(http_knock("127.0.0.1", port, SOON_MS), ECONNREFUSED);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_visitor_that_is_silent_the_longest_makes_way),
        cmocka_unit_test(test_visitor_of_an_address_beyond_its_share_makes_way_first),
        cmocka_unit_test(test_newcomer_makes_way_when_all_are_just_being_answered),
        cmocka_unit_test(test_visitors_that_take_too_long_are_sent_away),
        cmocka_unit_test(test_pictures_are_served_beside_thousands_of_slow_connections),
        cmocka_unit_test(test_server_that_lets_in_and_does_not_answer_is_found),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
