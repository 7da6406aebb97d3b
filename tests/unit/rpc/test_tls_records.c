#include "certificates.h"
#include "cmocka_headers.h"
#include "process.h"
#include "tests/support/process_memory.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A TLS listener in a process of its own, and a client that cuts what it sends into records as it likes. */

#define PATIENCE_S     10
#define GREETING_BYTES 8
#define FRAME_BYTES    8000u
#define FRAMES         4000u
/* Of all that is sent, which is 31 MiB. ThreadSanitizer keeps several bytes for each. */
#ifdef __SANITIZE_THREAD__
#define GROWTH_MAX_KIB 60000
#else
#define GROWTH_MAX_KIB 12000
#endif
/* A client that renews its keys now and then, and one that does nothing else. */
#define RENEWED_OFTEN 20
#define RENEWED_MUCH  100

static struct process *server;
static unsigned port;

/* AddressSanitizer else keeps 256 MiB of what was freed. */
static void keep_little_freed(void) {
    char options[512];
    const char *before = getenv("ASAN_OPTIONS");
    (void)snprintf(options, sizeof(options), "%s:quarantine_size_mb=1:thread_local_quarantine_size_kb=64",
                   before ? before : "");
    setenv("ASAN_OPTIONS", options, 1);
}

static int set_up(void **state) {
    (void)state;
    keep_little_freed();
    make_ca("ca");
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = "DNS:localhost,IP:127.0.0.1"});
    serve_with_certificate("server");
    server = start_process(TEST_PROGRAM, NULL);
    assert_int_equal(sscanf(await_output(server, "tls+tcp://"), "tls+tcp://127.0.0.1:%u", &port), 1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    kill(server->pid, SIGTERM);
    expect_end(server, 0, "stop");
    return 0;
}

/* ---- the client ---- */

static int connect_to_server(void) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = PATIENCE_S}, sizeof(struct timeval)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void read_all(SSL *ssl, void *ret_bytes, size_t bytes) {
    uint8_t *at = ret_bytes;
    while (bytes > 0) {
        size_t count = 0;
        assert_int_equal(SSL_read_ex(ssl, at, bytes, &count), 1);
        at += count;
        bytes -= count;
    }
}

static SSL *open_client(void) {
    static const uint8_t GREETING[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    uint8_t answer[GREETING_BYTES];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    assert_int_equal(SSL_set_fd(ssl, connect_to_server()), 1);
    assert_int_equal(SSL_connect(ssl), 1);
    assert_true(SSL_write(ssl, GREETING, sizeof(GREETING)) > 0);
    read_all(ssl, answer, sizeof(answer));
    return ssl;
}

static void close_client(SSL *ssl) {
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
}

/* A message of FRAME_BYTES: a probe, with blanks behind it. */
static void make_frame(uint8_t ret_frame[FRAME_BYTES]) {
    static const char PROBE[] = "herald.rpc.v1.Health/Check";
    static const uint8_t ID[4] = {0x80, 0, 0, 1};
    memset(ret_frame, ' ', FRAME_BYTES);
    memset(ret_frame, 0, 8);
    ret_frame[6] = (uint8_t)((FRAME_BYTES - 8) >> 8);
    ret_frame[7] = (uint8_t)(FRAME_BYTES - 8);
    memcpy(ret_frame + 8, ID, sizeof(ID));
    memcpy(ret_frame + 12, PROBE, sizeof(PROBE) - 1);
}

static void read_reply(SSL *ssl) {
    uint8_t head[8], body[4096];
    read_all(ssl, head, sizeof(head));
    size_t bytes = (size_t)head[6] << 8 | head[7];
    assert_true(bytes > 4 && bytes <= sizeof(body));
    read_all(ssl, body, bytes);
    assert_int_equal(body[4], '{');
}

static void call(SSL *ssl) {
    uint8_t frame[FRAME_BYTES];
    make_frame(frame);
    assert_true(SSL_write(ssl, frame, sizeof(frame)) > 0);
    read_reply(ssl);
}

/* ---- the tests ---- */

/* Each record holds the end of a message and the beginning of the next one. */
static void test_tls_records_that_cut_messages_cost_no_memory(void **state) {
    uint8_t frame[FRAME_BYTES];
    size_t half = FRAME_BYTES / 2;
    (void)state;
    SSL *ssl = open_client();
    make_frame(frame);
    assert_true(SSL_write(ssl, frame, (int)half) > 0);
    uint8_t turned[FRAME_BYTES];
    memcpy(turned, frame + half, FRAME_BYTES - half);
    memcpy(turned + (FRAME_BYTES - half), frame, half);
    long before_kib = 0;
    for (unsigned i = 0; i < FRAMES; i++) {
        assert_true(SSL_write(ssl, turned, sizeof(turned)) > 0);
        read_reply(ssl);
        before_kib = i == FRAMES / 100 ? process_resident_kib(server->pid) : before_kib;
    }
    long grown_kib = process_resident_kib(server->pid) - before_kib;
    if (grown_kib > GROWTH_MAX_KIB) {
        fail_msg("the server has grown by %ld KiB", grown_kib);
    }
    close_client(ssl);
}

static void renew_keys(SSL *ssl) {
    assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    (void)SSL_do_handshake(ssl); /* sends it, if the server is there */
}

static void test_tls_records_with_new_keys_are_answered(void **state) {
    (void)state;
    SSL *ssl = open_client();
    for (unsigned i = 0; i < RENEWED_OFTEN; i++) {
        renew_keys(ssl);
        call(ssl);
    }
    close_client(ssl);
}

static void test_tls_records_with_nothing_but_new_keys_end_the_connection(void **state) {
    uint8_t byte;
    (void)state;
    SSL *other = open_client(), *ssl = open_client();
    for (unsigned i = 0; i < RENEWED_MUCH; i++) {
        renew_keys(ssl);
    }
    int result = SSL_read(ssl, &byte, sizeof(byte));
    assert_true(result <= 0 && SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ);
    call(other);
    close_client(ssl);
    close_client(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_tls_records_that_cut_messages_cost_no_memory),
        TEST(test_tls_records_with_new_keys_are_answered),
        TEST(test_tls_records_with_nothing_but_new_keys_end_the_connection),
    };
    signal(SIGPIPE, SIG_IGN);
    certificates_init();
    int failed = cmocka_run_group_tests_name("rpc.tls_records", tests, NULL, NULL);
    certificates_fini();
    return failed;
}
