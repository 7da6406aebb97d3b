#include "hangup.h"

#include "cmocka_headers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STORM_COUNT 400

void listen_on_unix_socket(struct fixture *fixture) {
    char url[128];
    struct herald_error error;
    snprintf(url, sizeof(url), "ipc:///tmp/herald-test-hangup-%d.sock", (int)getpid());
    fixture_start(fixture);
    assert_int_equal(rpc_server_listen(fixture->server, url, &error), HERALD_OK);
    fixture->url = rpc_server_url(fixture->server);
}

static void hang_up_tcp(const char *url) {
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    shutdown(fd, SHUT_WR);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
}

static void hang_up_unix(const char *url) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", url + strlen("ipc://"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    int status = connect(fd, (struct sockaddr *)&address, sizeof(address));
    assert_true(status == 0 || errno == EAGAIN || errno == ECONNREFUSED); /* a full backlog */
    close(fd);
}

static void hang_up(const char *url) {
    if (strncmp(url, "ipc", 3) == 0) {
        hang_up_unix(url);
    } else {
        hang_up_tcp(url);
    }
}

bool answers(const char *url, int timeout_ms) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    uint8_t bytes[256];
    size_t count = herald__rpc__v1__request__pack(&request, bytes);
    struct raw_reply reply = raw_call(url, bytes, count, timeout_ms);
    bool answered = reply.failure == 0;
    raw_reply_clear(&reply);
    return answered;
}

void hangup_storm(const char *url) {
    for (int i = 0; i < STORM_COUNT; i++) {
        hang_up(url);
    }
}
