/*
 * One thread polls a pipe, with which it is told to end, the listener, and both ends of each connection. To shut the
 * way the thread is ended, which closes everything; the port stays reserved by SO_REUSEADDR and a new listener on it.
 */
#include "forwarder.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST_CONNECTIONS 128

struct pair {
    int ends[2]; /* client, service */
};

struct forwarder {
    struct sockaddr_in service, own;
    bool open;
    int listener, wake[2];
    pthread_t thread;
    struct pair pairs[MOST_CONNECTIONS];
    size_t pair_count;
};

static int new_listener(struct sockaddr_in *address) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    socklen_t length = sizeof(*address);
    if (bind(fd, (struct sockaddr *)address, sizeof(*address)) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &length) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

struct forwarder *forwarder_new(const char *host, int port) {
    struct forwarder *forwarder = calloc(1, sizeof(*forwarder));
    assert_non_null(forwarder);
    forwarder->service = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    assert_int_equal(inet_pton(AF_INET, host, &forwarder->service.sin_addr), 1);
    forwarder->own = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    forwarder->listener = new_listener(&forwarder->own); /* bound, not listening: connections are refused */
    assert_true(forwarder->listener >= 0);
    return forwarder;
}

int forwarder_port(const struct forwarder *forwarder) {
    return ntohs(forwarder->own.sin_port);
}

static void accept_pair(struct forwarder *forwarder) {
    int client = accept4(forwarder->listener, NULL, NULL, SOCK_CLOEXEC);
    int service = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || service < 0 || forwarder->pair_count == MOST_CONNECTIONS ||
        connect(service, (struct sockaddr *)&forwarder->service, sizeof(forwarder->service)) != 0) {
        close(client);
        close(service);
        return;
    }
    forwarder->pairs[forwarder->pair_count++] = (struct pair){{client, service}};
}

/* Moves what one end has to say; false when the connection is over. */
static bool move(int from, int to) {
    char buffer[65536];
    ssize_t bytes = recv(from, buffer, sizeof(buffer), 0);
    for (ssize_t sent = 0; sent < bytes;) {
        ssize_t now = send(to, buffer + sent, (size_t)(bytes - sent), MSG_NOSIGNAL);
        if (now <= 0) {
            return false;
        }
        sent += now;
    }
    return bytes > 0;
}

static void close_pair(struct forwarder *forwarder, size_t i) {
    close(forwarder->pairs[i].ends[0]);
    close(forwarder->pairs[i].ends[1]);
    forwarder->pairs[i] = forwarder->pairs[--forwarder->pair_count];
}

static void *run(void *arg) {
    struct forwarder *forwarder = arg;
    for (;;) {
        struct pollfd fds[2 + 2 * MOST_CONNECTIONS] = {{forwarder->wake[0], POLLIN, 0},
                                                       {forwarder->listener, POLLIN, 0}};
        for (size_t i = 0; i < forwarder->pair_count; i++) {
            fds[2 + 2 * i] = (struct pollfd){forwarder->pairs[i].ends[0], POLLIN, 0};
            fds[3 + 2 * i] = (struct pollfd){forwarder->pairs[i].ends[1], POLLIN, 0};
        }
        poll(fds, 2 + 2 * forwarder->pair_count, -1);
        if (fds[0].revents) {
            return NULL;
        }
        for (size_t i = forwarder->pair_count; i-- > 0;) { /* backwards: closing moves the last one into the gap */
            const int *ends = forwarder->pairs[i].ends;
            if ((fds[2 + 2 * i].revents && !move(ends[0], ends[1])) ||
                (fds[3 + 2 * i].revents && !move(ends[1], ends[0]))) {
                close_pair(forwarder, i);
            }
        }
        if (fds[1].revents) {
            accept_pair(forwarder);
        }
    }
}

void forwarder_open(struct forwarder *forwarder) {
    assert_false(forwarder->open);
    assert_int_equal(listen(forwarder->listener, 64), 0);
    assert_int_equal(pipe(forwarder->wake), 0);
    assert_int_equal(pthread_create(&forwarder->thread, NULL, run, forwarder), 0);
    forwarder->open = true;
}

static void end_thread(struct forwarder *forwarder) {
    assert_int_equal(write(forwarder->wake[1], "x", 1), 1);
    pthread_join(forwarder->thread, NULL);
    close(forwarder->wake[0]);
    close(forwarder->wake[1]);
    while (forwarder->pair_count > 0) {
        close_pair(forwarder, 0);
    }
    close(forwarder->listener);
    forwarder->open = false;
}

void forwarder_shut(struct forwarder *forwarder) {
    assert_true(forwarder->open);
    end_thread(forwarder);
    forwarder->listener = new_listener(&forwarder->own);
    assert_true(forwarder->listener >= 0);
}

void forwarder_aim(struct forwarder *forwarder, int port) {
    assert_false(forwarder->open);
    forwarder->service.sin_port = htons((uint16_t)port);
}

void forwarder_free(struct forwarder *forwarder) {
    if (!forwarder) {
        return;
    }
    if (forwarder->open) {
        end_thread(forwarder);
    } else {
        close(forwarder->listener);
    }
    free(forwarder);
}
