#include "scripted_peer.h"

#include "tests/unit/outgoing/request_wait.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define REQUEST_BYTES 65536

struct scripted_peer {
    const struct scripted *script;
    int listener, port;
    int stop_pipe[2]; /* readable when it ends */
    pthread_t thread;
    char *requests[SCRIPT_MAX];
    size_t count, matched;
};

/* Reads one request; NULL when none comes. */
static char *read_whole(struct scripted_peer *peer, int fd) {
    char *text = calloc(1, REQUEST_BYTES);
    size_t bytes = 0;
    while (text != NULL && !request_is_whole(text, bytes)) {
        ssize_t got = request_wait(peer->stop_pipe[0], fd) ? read(fd, text + bytes, REQUEST_BYTES - 1 - bytes) : 0;
        if (got <= 0) {
            free(text);
            return NULL;
        }
        bytes += (size_t)got;
    }
    return text;
}

static void send_answer(int fd, const struct scripted *answer) {
    const char *body = answer->body != NULL ? answer->body : "";
    dprintf(fd, "HTTP/1.1 %d Answer\r\nconnection: close\r\ncontent-length: %zu\r\n%s\r\n%s", answer->status,
            answer->claimed != 0 ? answer->claimed : strlen(body), answer->headers != NULL ? answer->headers : "",
            body);
}

static void serve_one(struct scripted_peer *peer, int fd) {
    char *request = peer->count < SCRIPT_MAX ? read_whole(peer, fd) : NULL;
    if (request == NULL) {
        return;
    }
    static const struct scripted UNEXPECTED = {.status = 599};
    const struct scripted *next = &peer->script[peer->matched];
    bool matches = next->request != NULL && strncmp(request, next->request, strlen(next->request)) == 0;
    peer->requests[peer->count++] = request;
    peer->matched += matches;
    if (!matches || next->status != 0) {
        send_answer(fd, matches ? next : &UNEXPECTED);
    }
}

static void *play_script(void *arg) {
    struct scripted_peer *peer = arg;
    while (request_wait(peer->stop_pipe[0], peer->listener)) {
        int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve_one(peer, fd);
            close(fd);
        }
    }
    return NULL;
}

struct scripted_peer *scripted_peer_start(const struct scripted *script) {
    struct scripted_peer *peer = calloc(1, sizeof(*peer));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    assert_non_null(peer);
    peer->script = script;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(peer->listener, 64), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &length), 0);
    peer->port = ntohs(address.sin_port);
    assert_int_equal(pipe(peer->stop_pipe), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, play_script, peer), 0);
    return peer;
}

int scripted_peer_port(const struct scripted_peer *peer) {
    return peer->port;
}

void scripted_peer_stop(struct scripted_peer *peer) {
    assert_int_equal(write(peer->stop_pipe[1], "", 1), 1);
    assert_int_equal(pthread_join(peer->thread, NULL), 0);
    close(peer->listener);
    close(peer->stop_pipe[0]);
    close(peer->stop_pipe[1]);
}

void scripted_peer_check(const struct scripted_peer *peer) {
    const struct scripted *next = &peer->script[peer->matched];
    if (next->request != NULL || peer->count != peer->matched) {
        fail_msg("%zu requests came, the last %.60s; the script waits for %s", peer->count,
                 peer->count > 0 ? peer->requests[peer->count - 1] : "(none)",
                 next->request != NULL ? next->request : "nothing more");
    }
}

const char *scripted_peer_request(const struct scripted_peer *peer, size_t number) {
    assert_true(number < peer->count);
    return peer->requests[number];
}

void scripted_peer_free(struct scripted_peer *peer) {
    for (size_t i = 0; i < peer->count; i++) {
        free(peer->requests[i]);
    }
    free(peer);
}
