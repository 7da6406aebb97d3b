#include "tests/unit/transport/stranger.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 20000

/* Zero, "SP", version 0, protocol 0x30 (REQ), reserved. */
const uint8_t STRANGER_GREETING[STRANGER_GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

static bool is_ipc(const char *url) {
    return strncmp(url, "ipc", 3) == 0;
}

static int connect_tcp(const char *url) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

static int connect_ipc(const char *url) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", url + strlen("ipc://"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

int stranger_connect(const char *url) {
    return is_ipc(url) ? connect_ipc(url) : connect_tcp(url);
}

void stranger_send(int fd, const void *data, size_t bytes) {
    const char *at = data;
    while (bytes > 0) {
        ssize_t sent = send(fd, at, bytes, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        at += sent;
        bytes -= (size_t)sent;
    }
}

bool stranger_greet(int fd) {
    uint8_t answer[STRANGER_GREETING_BYTES];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    stranger_send(fd, STRANGER_GREETING, sizeof(STRANGER_GREETING));
    for (size_t used = 0; used < sizeof(answer);) {
        ssize_t got = poll(&wait, 1, PATIENCE_MS) == 1 ? recv(fd, answer + used, sizeof(answer) - used, 0) : 0;
        if (got <= 0) {
            return false;
        }
        used += (size_t)got;
    }
    return answer[1] == 'S' && answer[2] == 'P';
}

size_t stranger_frame_head(const char *url, uint64_t bytes, uint8_t ret_head[STRANGER_HEAD_MAX]) {
    size_t used = 0;
    if (is_ipc(url)) {
        ret_head[used++] = 1; /* a message in line */
    }
    for (int shift = 56; shift >= 0; shift -= 8) {
        ret_head[used++] = (uint8_t)(bytes >> shift);
    }
    return used;
}

void stranger_send_frame(int fd, const char *url, uint64_t claimed, size_t sent) {
    static const uint8_t request[4096] = {0x80, 0, 0, 1}; /* a request's id has its high bit set */
    uint8_t head[STRANGER_HEAD_MAX];
    stranger_send(fd, head, stranger_frame_head(url, claimed, head));
    stranger_send(fd, request, sent < sizeof(request) ? sent : sizeof(request));
}

bool stranger_was_left(int fd, int timeout_ms) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint8_t ignored[256];
    while (poll(&wait, 1, timeout_ms) == 1) {
        if (recv(fd, ignored, sizeof(ignored), 0) <= 0) {
            return true;
        }
    }
    return false;
}

void stranger_leave(int fd, enum stranger_leaving how) {
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (fd < 0) {
        return;
    }
    if (how == STRANGER_SHUTS_AND_RESETS) {
        shutdown(fd, SHUT_WR);
    }
    if (how != STRANGER_CLOSES) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* without meaning for ipc */
    }
    close(fd);
}
