#include "peer.h"

#include "request_wait.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct peer {
    enum peer_fault fault;
    char *answer;
    int listener, port;
    int stop_pipe[2]; /* readable when it ends */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int requests, connections;
    char request[8192];
};

static int listen_any(int *ret_port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        abort();
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* Reads one request; false when there is none. */
static bool read_request(struct peer *peer, int fd) {
    char text[sizeof(peer->request)] = "";
    size_t bytes = 0;
    while (!request_is_whole(text, bytes)) {
        ssize_t got = request_wait(peer->stop_pipe[0], fd) ? read(fd, text + bytes, sizeof(text) - 1 - bytes) : 0;
        if (got <= 0) {
            return false;
        }
        bytes += (size_t)got;
        text[bytes] = '\0';
    }
    pthread_mutex_lock(&peer->lock);
    memcpy(peer->request, text, bytes + 1);
    peer->requests++;
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
    return true;
}

static void answer(const struct peer *peer, int fd) {
    size_t sent = 0, bytes = strlen(peer->answer);
    while (sent < bytes) {
        ssize_t wrote = send(fd, peer->answer + sent, bytes - sent, MSG_NOSIGNAL);
        if (wrote <= 0) {
            return;
        }
        sent += (size_t)wrote;
    }
}

static void reset(int fd) {
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void wait_for_end(struct peer *peer, int fd) {
    char byte;
    while (request_wait(peer->stop_pipe[0], fd) && read(fd, &byte, 1) > 0) {
        continue;
    }
}

static void serve(struct peer *peer, int fd) {
    if (!read_request(peer, fd)) {
        return;
    }
    switch (peer->fault) {
    case PEER_ANSWERS:
        answer(peer, fd);
        break;
    case PEER_KEEPS_THEN_CLOSES:
        answer(peer, fd);
        read_request(peer, fd);
        break;
    case PEER_KEEPS_THEN_RESETS:
        answer(peer, fd);
        read_request(peer, fd);
        reset(fd);
        break;
    case PEER_KEEPS:
        do {
            answer(peer, fd);
        } while (read_request(peer, fd));
        break;
    case PEER_ANSWERS_AND_RESETS:
        answer(peer, fd);
        reset(fd);
        break;
    case PEER_ANSWERS_AND_HANGS:
        answer(peer, fd);
        wait_for_end(peer, fd);
        break;
    case PEER_READS_AND_HANGS:
        wait_for_end(peer, fd);
        break;
    case PEER_READS_THEN_CLOSES:
        break;
    }
}

static void *run(void *arg) {
    struct peer *peer = arg;
    while (request_wait(peer->stop_pipe[0], peer->listener)) {
        int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        pthread_mutex_lock(&peer->lock);
        peer->connections++;
        pthread_mutex_unlock(&peer->lock);
        serve(peer, fd);
        close(fd);
    }
    return NULL;
}

struct peer *peer_start(enum peer_fault fault, const char *answer_text) {
    struct peer *peer = calloc(1, sizeof(*peer));
    peer->fault = fault;
    peer->answer = strdup(answer_text);
    peer->listener = listen_any(&peer->port);
    pthread_mutex_init(&peer->lock, NULL);
    pthread_cond_init(&peer->changed, NULL);
    if (pipe(peer->stop_pipe) != 0 || pthread_create(&peer->thread, NULL, run, peer) != 0) {
        abort();
    }
    return peer;
}

void peer_stop(struct peer *peer) {
    close(peer->stop_pipe[1]);
    pthread_join(peer->thread, NULL);
    close(peer->stop_pipe[0]);
    close(peer->listener);
    pthread_cond_destroy(&peer->changed);
    pthread_mutex_destroy(&peer->lock);
    free(peer->answer);
    free(peer);
}

int peer_port(const struct peer *peer) {
    return peer->port;
}

int peer_requests(struct peer *peer) {
    pthread_mutex_lock(&peer->lock);
    int requests = peer->requests;
    pthread_mutex_unlock(&peer->lock);
    return requests;
}

int peer_connections(struct peer *peer) {
    pthread_mutex_lock(&peer->lock);
    int connections = peer->connections;
    pthread_mutex_unlock(&peer->lock);
    return connections;
}

bool peer_wait_requests(struct peer *peer, int count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    pthread_mutex_lock(&peer->lock);
    while (peer->requests < count && pthread_cond_timedwait(&peer->changed, &peer->lock, &until) != ETIMEDOUT) {
        continue;
    }
    bool reached = peer->requests >= count;
    pthread_mutex_unlock(&peer->lock);
    return reached;
}

const char *peer_last_request(struct peer *peer) {
    return peer->request;
}
