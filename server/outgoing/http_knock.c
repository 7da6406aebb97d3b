#include "server/outgoing/http_knock.h"

#include "server/runtime/call.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char STATUS_LINE[] = "HTTP/1."; /* how one begins */

/* Waits for events of the socket. Returns: 0 | ETIMEDOUT | an errno of the socket */
static int await_socket(int fd, short events, uint64_t until_us) {
    uint64_t now_us = clock_now_us();
    struct pollfd pollfd = {.fd = fd, .events = events};
    int error = 0;
    socklen_t error_bytes = sizeof(error);
    if (now_us >= until_us || poll(&pollfd, 1, (int)((until_us - now_us) / 1000) + 1) != 1) {
        return ETIMEDOUT;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes) != 0 ? errno : error;
}

static int read_status_line(int fd, uint64_t until_us) {
    char text[sizeof(STATUS_LINE)];
    size_t length = sizeof(STATUS_LINE) - 1, got = 0;
    while (got < length) {
        int error = await_socket(fd, POLLIN, until_us);
        ssize_t bytes = error == 0 ? recv(fd, text + got, length - got, 0) : -1;
        if (error != 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR)) {
            return error != 0 ? error : errno;
        }
        if (bytes == 0) {
            return ECONNRESET;
        }
        got += bytes > 0 ? (size_t)bytes : 0;
    }
    return memcmp(text, STATUS_LINE, length) == 0 ? 0 : EPROTO;
}

static int ask_address(const struct addrinfo *address, const char *request, uint64_t until_us) {
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
        return errno;
    }
    int error = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
        error = await_socket(fd, POLLOUT, until_us);
    }
    if (error == 0 && send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) {
        error = errno != 0 ? errno : EPROTO;
    }
    error = error == 0 ? read_status_line(fd, until_us) : error;
    close(fd);
    return error;
}

int http_knock(const char *host, const char *port, uint32_t wait_ms) {
    uint64_t until_us = clock_now_us() + wait_ms * UINT64_C(1000);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
    char request[320];
    if (getaddrinfo(host, port, &hints, &addresses) != 0) {
        return EHOSTUNREACH;
    }
    (void)snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nhost: %.200s\r\nconnection: close\r\n\r\n", host);
    int error = EHOSTUNREACH;
    for (const struct addrinfo *address = addresses; address != NULL && error != 0; address = address->ai_next) {
        error = ask_address(address, request, until_us);
    }
    freeaddrinfo(addresses);
    return error;
}
