#include "tests/integration/db/relay.h"

#include "tests/integration/db/db_test.h"
#include "tests/support/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PAIRS_MAX 32

struct pair {
    int client, server; /* -1: free */
    bool frozen;
};

/* The owner's wishes are under the lock; the pairs are the thread's alone. */
struct relay {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t obeyed;
    int wake[2];
    uint16_t port;
    char *host, *server_port; /* where libpq goes */
    unsigned wish_number, obeyed_number;
    bool open, barred, cut, freeze, swallow, stall, stop;

    int listener; /* -1: shut */
    bool swallowing, stalling;
    struct pair pairs[PAIRS_MAX];
};

static int make_listener(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(loopback_address())};
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 64) != 0) {
        perror("relay: bind");
        abort();
    }
    return fd;
}

static int connect_unix(const char *directory, const char *port) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%s", directory, port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static int connect_tcp(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &found) == 0) {
        fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
        freeaddrinfo(found);
    }
    return fd;
}

static int connect_postgres(const struct relay *relay) {
    return relay->host[0] == '/' ? connect_unix(relay->host, relay->server_port)
                                 : connect_tcp(relay->host, relay->server_port);
}

static void close_pair(struct pair *pair) {
    if (pair->client >= 0) {
        close(pair->client);
        close(pair->server);
    }
    *pair = (struct pair){-1, -1, false};
}

static void accept_one(struct relay *relay) {
    int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; client >= 0 && i < PAIRS_MAX; i++) {
        if (relay->pairs[i].client < 0) {
            relay->pairs[i] = (struct pair){client, connect_postgres(relay), false};
            return;
        }
    }
    if (client >= 0) {
        close(client);
    }
}

/* Returns false at the end of the stream. */
static bool pass(int from, int to, bool swallow) {
    char buffer[65536];
    ssize_t got = read(from, buffer, sizeof(buffer));
    if (got <= 0) {
        return false;
    }
    for (ssize_t at = 0; !swallow && at < got;) {
        ssize_t put = send(to, buffer + at, (size_t)(got - at), MSG_NOSIGNAL);
        if (put <= 0) {
            return false;
        }
        at += put;
    }
    return true;
}

static void pass_all(struct relay *relay, const struct pollfd *fds) {
    for (int i = 0; i < PAIRS_MAX; i++) {
        struct pair *pair = &relay->pairs[i];
        bool alive = true;
        if (fds[2 + 2 * i].revents) {
            alive = pass(pair->client, pair->server, false);
        }
        if (alive && fds[3 + 2 * i].revents) {
            alive = pass(pair->server, pair->client, relay->swallowing);
        }
        if (!alive) {
            close_pair(pair);
        }
    }
}

/* Acts on the wishes. Returns false when the thread is to end. */
static bool obey(struct relay *relay) {
    pthread_mutex_lock(&relay->lock);
    relay->swallowing = relay->swallow;
    relay->stalling = relay->stall;
    bool listens = relay->open && !relay->barred;
    if (listens && relay->listener < 0) {
        relay->listener = make_listener(relay->port);
    } else if (!listens && relay->listener >= 0) {
        close(relay->listener);
        relay->listener = -1;
    }
    for (int i = 0; i < PAIRS_MAX && (relay->cut || !relay->open); i++) {
        close_pair(&relay->pairs[i]);
    }
    for (int i = 0; i < PAIRS_MAX && relay->freeze; i++) {
        relay->pairs[i].frozen = relay->pairs[i].client >= 0;
    }
    relay->cut = relay->freeze = false;
    relay->obeyed_number = relay->wish_number;
    bool go_on = !relay->stop;
    pthread_cond_broadcast(&relay->obeyed);
    pthread_mutex_unlock(&relay->lock);
    return go_on;
}

static void *relay_main(void *arg) {
    struct relay *relay = arg;
    bool go_on = true;
    while (go_on) {
        struct pollfd fds[2 + 2 * PAIRS_MAX] = {{.fd = relay->wake[0], .events = POLLIN},
                                                {.fd = relay->stalling ? -1 : relay->listener, .events = POLLIN}};
        for (int i = 0; i < PAIRS_MAX; i++) {
            const struct pair *pair = &relay->pairs[i];
            fds[2 + 2 * i] = (struct pollfd){.fd = pair->frozen ? -1 : pair->client, .events = POLLIN};
            fds[3 + 2 * i] = (struct pollfd){.fd = pair->frozen ? -1 : pair->server, .events = POLLIN};
        }
        if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0 && errno != EINTR) {
            perror("relay: poll");
            abort();
        }
        pass_all(relay, fds);
        if (fds[1].revents) {
            accept_one(relay);
        }
        char byte;
        if (fds[0].revents && read(relay->wake[0], &byte, 1) == 1) {
            go_on = obey(relay);
        }
    }
    return NULL;
}

/* Tells the thread that the wishes have changed and waits until it has acted on them. The lock is held; it is let go.
 */
static void wish(struct relay *relay) {
    unsigned number = ++relay->wish_number;
    if (write(relay->wake[1], "w", 1) != 1) {
        perror("relay: wake");
        abort();
    }
    while (relay->obeyed_number < number) {
        pthread_cond_wait(&relay->obeyed, &relay->lock);
    }
    pthread_mutex_unlock(&relay->lock);
}

/* The relay's thread must not look itself: where that failed, it would end a test that is another thread's. */
static void find_postgres(struct relay *relay) {
    PGconn *pg = admin_open();
    relay->host = strdup(PQhost(pg));
    relay->server_port = strdup(PQport(pg));
    PQfinish(pg);
    assert_true(relay->host && relay->server_port);
}

struct relay *relay_new(void) {
    struct relay *relay = calloc(1, sizeof(*relay));
    assert_non_null(relay);
    find_postgres(relay);
    relay->port = (uint16_t)loopback_port();
    relay->listener = -1;
    for (int i = 0; i < PAIRS_MAX; i++) {
        relay->pairs[i] = (struct pair){-1, -1, false};
    }
    assert_int_equal(pipe2(relay->wake, O_CLOEXEC), 0);
    assert_int_equal(pthread_mutex_init(&relay->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&relay->obeyed, NULL), 0);
    assert_int_equal(pthread_create(&relay->thread, NULL, relay_main, relay), 0);
    return relay;
}

void relay_free(struct relay *relay) {
    pthread_mutex_lock(&relay->lock);
    relay->stop = true;
    relay->open = false;
    wish(relay);
    assert_int_equal(pthread_join(relay->thread, NULL), 0);
    close(relay->wake[0]);
    close(relay->wake[1]);
    pthread_cond_destroy(&relay->obeyed);
    pthread_mutex_destroy(&relay->lock);
    free(relay->host);
    free(relay->server_port);
    free(relay);
}

uint16_t relay_port(const struct relay *relay) {
    return relay->port;
}

void relay_open(struct relay *relay) {
    pthread_mutex_lock(&relay->lock);
    relay->open = true;
    relay->barred = false;
    wish(relay);
}

void relay_shut(struct relay *relay) {
    pthread_mutex_lock(&relay->lock);
    relay->open = false;
    wish(relay);
}

void relay_bar(struct relay *relay) {
    pthread_mutex_lock(&relay->lock);
    relay->barred = true;
    wish(relay);
}

void relay_cut(struct relay *relay) {
    pthread_mutex_lock(&relay->lock);
    relay->cut = true;
    wish(relay);
}

void relay_freeze(struct relay *relay) {
    pthread_mutex_lock(&relay->lock);
    relay->freeze = true;
    wish(relay);
}

void relay_swallow_answers(struct relay *relay, bool swallow) {
    pthread_mutex_lock(&relay->lock);
    relay->swallow = swallow;
    wish(relay);
}

void relay_stall(struct relay *relay, bool stall) {
    pthread_mutex_lock(&relay->lock);
    relay->stall = stall;
    wish(relay);
}
