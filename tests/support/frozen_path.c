#include "tests/support/frozen_path.h"

#include "tests/support/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 128
#define LOOK_MS   10

struct pair {
    int ends[2]; /* client, service; -1: free */
    bool frozen;
};

struct frozen_path {
    pthread_t thread;
    int listener;
    unsigned target_port;
    struct pair pairs[PAIRS_MAX]; /* the thread's */
    atomic_bool stop, new_frozen;
    atomic_uint freezes, thaws; /* asked for */
    unsigned frozen, thawed;    /* done */
};

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static struct sockaddr_in address_of(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    need(inet_pton(AF_INET, loopback_address(), &address.sin_addr) == 1);
    return address;
}

static void drop_pair(struct pair *pair) {
    close(pair->ends[0]);
    close(pair->ends[1]);
    pair->ends[0] = pair->ends[1] = -1;
}

static void accept_one(struct frozen_path *path) {
    struct sockaddr_in address = address_of(path->target_port);
    int client = accept4(path->listener, NULL, NULL, SOCK_CLOEXEC);
    int service = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client >= 0 && service >= 0 && connect(service, (struct sockaddr *)&address, sizeof(address)) == 0) {
        for (size_t i = 0; i < PAIRS_MAX; i++) {
            if (path->pairs[i].ends[0] < 0) {
                path->pairs[i] = (struct pair){{client, service}, atomic_load(&path->new_frozen)};
                return;
            }
        }
    }
    close(client);
    close(service);
}

static bool carry(int from, int to) {
    char bytes[16384];
    ssize_t count = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (count < 0) {
        return errno == EAGAIN;
    }
    for (ssize_t sent = 0; sent < count;) {
        ssize_t one = send(to, bytes + sent, (size_t)(count - sent), MSG_NOSIGNAL);
        if (one < 0) {
            return false;
        }
        sent += one;
    }
    return count > 0;
}

static void obey(struct frozen_path *path) {
    unsigned freezes = atomic_load(&path->freezes), thaws = atomic_load(&path->thaws);
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (freezes != path->frozen) {
            path->pairs[i].frozen = true;
        } else if (thaws != path->thawed) {
            path->pairs[i].frozen = false;
        }
    }
    path->frozen = freezes;
    path->thawed = thaws;
}

static void *pump(void *arg) {
    struct frozen_path *path = arg;
    while (!atomic_load(&path->stop)) {
        struct pollfd polled[1 + 2 * PAIRS_MAX];
        polled[0] = (struct pollfd){.fd = path->listener, .events = POLLIN};
        for (size_t i = 0; i < 2 * PAIRS_MAX; i++) {
            const struct pair *pair = &path->pairs[i / 2];
            polled[1 + i] = (struct pollfd){.fd = pair->frozen ? -1 : pair->ends[i % 2], .events = POLLIN};
        }
        (void)poll(polled, 1 + 2 * PAIRS_MAX, LOOK_MS);
        obey(path);
        for (size_t i = 0; i < 2 * PAIRS_MAX; i++) {
            struct pair *pair = &path->pairs[i / 2];
            if (polled[1 + i].fd >= 0 && polled[1 + i].revents && pair->ends[0] >= 0 && !pair->frozen &&
                !carry(pair->ends[i % 2], pair->ends[1 - i % 2])) {
                drop_pair(pair);
            }
        }
        if (polled[0].revents) {
            accept_one(path);
        }
    }
    return NULL;
}

struct frozen_path *frozen_path_open(unsigned port, unsigned target_port) {
    struct frozen_path *path = calloc(1, sizeof(*path));
    struct sockaddr_in address = address_of(port);
    int on = 1;
    need(path != NULL);
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        path->pairs[i] = (struct pair){{-1, -1}, false};
    }
    path->target_port = target_port;
    path->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(setsockopt(path->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
    need(bind(path->listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(path->listener, 64) == 0);
    need(pthread_create(&path->thread, NULL, pump, path) == 0);
    return path;
}

void frozen_path_freeze(struct frozen_path *path, bool new_ones) {
    atomic_store(&path->new_frozen, new_ones);
    atomic_fetch_add(&path->freezes, 1);
}

void frozen_path_thaw(struct frozen_path *path) {
    atomic_store(&path->new_frozen, false);
    atomic_fetch_add(&path->thaws, 1);
}

void frozen_path_close(struct frozen_path *path) {
    atomic_store(&path->stop, true);
    pthread_join(path->thread, NULL);
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (path->pairs[i].ends[0] >= 0) {
            drop_pair(&path->pairs[i]);
        }
    }
    close(path->listener);
    free(path);
}
