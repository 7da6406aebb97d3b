/*
 * fault-proxy: passes TCP connections on to services, and lets each path fail as networks do.
 *
 * usage: fault-proxy NAME=PORT:HOST:PORT…    own port on 127.0.0.1, then the service (an IPv4 address)
 *
 * A line on standard input, "NAME MODE [MS]", changes a path ("*": all of them); "ok", or "error: …", answers it on
 * standard output. The program ends with its input.
 *
 *   pass      passes on
 *   freeze    keeps connections and takes new ones, but reads nothing; what was sent arrives when it passes again
 *   drop      reads, and throws away what either side says
 *   swallow   requests arrive, replies are thrown away
 *   delay MS  each piece arrives that much later
 *   reset     resets the connections, and each new one
 *
 * A connection that has lost bytes is reset when its path passes again: TCP would not have lost them. One thread; a
 * piece is read only while fewer than QUEUE_BYTES_MAX wait in its direction.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define PATHS_MAX       64
#define PAIRS_MAX       4096
#define PIECE_BYTES     16384
#define QUEUE_BYTES_MAX 262144

enum mode { MODE_PASS, MODE_FREEZE, MODE_DROP, MODE_SWALLOW, MODE_DELAY, MODE_RESET, MODE_COUNT };
static const char *const mode_names[MODE_COUNT] = {"pass", "freeze", "drop", "swallow", "delay", "reset"};

struct path {
    char name[64];
    struct sockaddr_in service;
    int listener;
    enum mode mode;
    long delay_ms;
};

struct piece {
    struct piece *next;
    long long due_ms;
    size_t bytes, sent;
    unsigned char data[];
};

/* One direction of a connection. */
struct flow {
    int from, to;
    struct piece *first, **end;
    size_t queued_bytes;
    bool ended;  /* @from says nothing more */
    bool closed; /* ... and @to has been told */
};

struct pair {
    struct path *path;
    struct flow flows[2]; /* to the service, to the client */
    bool lost_bytes, over;
};

static struct path paths[PATHS_MAX];
static size_t path_count;
static struct pair *pairs[PAIRS_MAX];
static size_t pair_count;

static long long clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- connections ---- */

static void flow_clear(struct flow *flow) {
    while (flow->first) {
        struct piece *piece = flow->first;
        flow->first = piece->next;
        free(piece);
    }
}

static void pair_free(struct pair *pair, bool reset) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    for (size_t i = 0; i < 2; i++) {
        flow_clear(&pair->flows[i]);
        if (reset) {
            setsockopt(pair->flows[i].from, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        }
        close(pair->flows[i].from);
    }
    free(pair);
}

static void accept_pair(struct path *path) {
    int client = accept4(path->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) {
        return;
    }
    int service = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pair *pair = calloc(1, sizeof(*pair));
    if (service < 0 || !pair || pair_count == PAIRS_MAX) {
        close(client);
        if (service >= 0) {
            close(service);
        }
        free(pair);
        return;
    }
    *pair = (struct pair){.path = path, .flows = {{.from = client, .to = service}, {.from = service, .to = client}}};
    pair->flows[0].end = &pair->flows[0].first;
    pair->flows[1].end = &pair->flows[1].first;
    /* What comes of it is seen when the socket is used. */
    if (connect(service, (struct sockaddr *)&path->service, sizeof(path->service)) != 0 && errno != EINPROGRESS) {
        pair->over = true;
    }
    pairs[pair_count++] = pair;
}

static bool throws_away(const struct pair *pair, const struct flow *flow) {
    return pair->path->mode == MODE_DROP || (pair->path->mode == MODE_SWALLOW && flow == &pair->flows[1]);
}

static void read_piece(struct pair *pair, struct flow *flow) {
    struct piece *piece = malloc(sizeof(*piece) + PIECE_BYTES);
    if (!piece) {
        return;
    }
    ssize_t bytes = recv(flow->from, piece->data, PIECE_BYTES, 0);
    if (bytes > 0 && !throws_away(pair, flow)) {
        long delay_ms = pair->path->mode == MODE_DELAY ? pair->path->delay_ms : 0;
        *piece = (struct piece){.due_ms = clock_ms() + delay_ms, .bytes = (size_t)bytes};
        *flow->end = piece;
        flow->end = &piece->next;
        flow->queued_bytes += (size_t)bytes;
        return;
    }
    free(piece);
    if (bytes > 0) {
        pair->lost_bytes = true;
    } else if (bytes == 0) {
        flow->ended = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        pair->over = true;
    }
}

static bool is_due(const struct flow *flow, long long now_ms) {
    return flow->first && flow->first->due_ms <= now_ms;
}

static void write_pieces(struct pair *pair, struct flow *flow, long long now_ms) {
    while (is_due(flow, now_ms)) {
        struct piece *piece = flow->first;
        ssize_t bytes = send(flow->to, piece->data + piece->sent, piece->bytes - piece->sent, MSG_NOSIGNAL);
        if (bytes < 0) {
            pair->over = errno != EAGAIN && errno != EINTR;
            return;
        }
        piece->sent += (size_t)bytes;
        flow->queued_bytes -= (size_t)bytes;
        if (piece->sent < piece->bytes) {
            return;
        }
        flow->first = piece->next;
        flow->end = flow->first ? flow->end : &flow->first;
        free(piece);
    }
}

/* An end is passed on after all that came before it. */
static void pass_end_on(struct pair *pair) {
    for (size_t i = 0; i < 2; i++) {
        struct flow *flow = &pair->flows[i];
        if (flow->ended && !flow->first && !flow->closed) {
            shutdown(flow->to, SHUT_WR);
            flow->closed = true;
        }
    }
    pair->over = pair->over || (pair->flows[0].closed && pair->flows[1].closed);
}

static void remove_those_over(void) {
    for (size_t i = pair_count; i-- > 0;) {
        struct pair *pair = pairs[i];
        bool reset = pair->path->mode == MODE_RESET || (pair->path->mode == MODE_PASS && pair->lost_bytes);
        if (reset || pair->over) {
            bool at_peace = pair->flows[0].closed && pair->flows[1].closed;
            pair_free(pair, !at_peace);
            pairs[i] = pairs[--pair_count];
        }
    }
}

/* ---- orders ---- */

static int find_mode(const char *word) {
    for (int i = 0; i < MODE_COUNT; i++) {
        if (strcmp(mode_names[i], word) == 0) {
            return i;
        }
    }
    return -1;
}

static void obey(const char *line) {
    char name[64] = "", word[16] = "";
    long delay_ms = 0;
    int words = sscanf(line, "%63s %15s %ld", name, word, &delay_ms);
    int mode = find_mode(word);
    if (words < 2 || mode < 0 || delay_ms < 0) {
        printf("error: an order is NAME MODE [MS], not '%s'\n", line);
        return;
    }
    bool found = false;
    for (size_t i = 0; i < path_count; i++) {
        if (strcmp(name, "*") == 0 || strcmp(name, paths[i].name) == 0) {
            paths[i].mode = (enum mode)mode;
            paths[i].delay_ms = delay_ms;
            found = true;
        }
    }
    if (found) {
        puts("ok");
    } else {
        printf("error: no path is named '%s'\n", name);
    }
}

/* False when the input has ended. */
static bool read_orders(void) {
    static char text[4096];
    static size_t length;
    ssize_t bytes = read(STDIN_FILENO, text + length, sizeof(text) - 1 - length);
    if (bytes <= 0) {
        return bytes < 0 && errno == EINTR;
    }
    length += (size_t)bytes;
    text[length] = '\0';
    char *line = text;
    for (char *end = NULL; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        obey(line);
    }
    fflush(stdout);
    length -= (size_t)(line - text);
    memmove(text, line, length);
    return length < sizeof(text) - 1;
}

/* ---- the loop ---- */

static short wanted_events(const struct pair *pair, int side, long long now_ms) {
    const struct flow *in = &pair->flows[side], *out = &pair->flows[1 - side];
    if (pair->path->mode == MODE_FREEZE) {
        return 0;
    }
    bool reads = !in->ended && in->queued_bytes < QUEUE_BYTES_MAX;
    return (short)((reads ? POLLIN : 0) | (is_due(out, now_ms) ? POLLOUT : 0));
}

static int next_wait_ms(long long now_ms) {
    long long wait_ms = 1000;
    for (size_t i = 0; i < pair_count; i++) {
        for (size_t side = 0; side < 2; side++) {
            const struct piece *piece = pairs[i]->flows[side].first;
            if (piece && piece->due_ms > now_ms && piece->due_ms - now_ms < wait_ms) {
                wait_ms = piece->due_ms - now_ms;
            }
        }
    }
    return (int)wait_ms;
}

static void serve_pair(struct pair *pair, const struct pollfd *fds, long long now_ms) {
    for (size_t side = 0; side < 2 && !pair->over; side++) {
        struct flow *in = &pair->flows[side], *out = &pair->flows[1 - side];
        if (pair->path->mode == MODE_FREEZE) {
            return;
        }
        if (fds[side].revents & POLLOUT) {
            write_pieces(pair, out, now_ms);
        }
        if ((fds[side].revents & (POLLIN | POLLHUP | POLLERR)) && !in->ended) {
            read_piece(pair, in);
        } else if (fds[side].revents & (POLLHUP | POLLERR)) {
            pair->over = true;
        }
    }
    pass_end_on(pair);
}

static void run(void) {
    static struct pollfd fds[1 + PATHS_MAX + 2 * PAIRS_MAX];
    for (;;) {
        remove_those_over();
        long long now_ms = clock_ms();
        size_t count = 0, served = pair_count;
        fds[count++] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
        for (size_t i = 0; i < path_count; i++) {
            fds[count++] = (struct pollfd){paths[i].listener, POLLIN, 0};
        }
        for (size_t i = 0; i < served; i++) {
            for (int side = 0; side < 2; side++) {
                short events = wanted_events(pairs[i], side, now_ms);
                fds[count++] = (struct pollfd){events ? pairs[i]->flows[side].from : -1, events, 0};
            }
        }
        poll(fds, count, next_wait_ms(now_ms));
        now_ms = clock_ms();
        for (size_t i = 0; i < served; i++) {
            serve_pair(pairs[i], &fds[1 + path_count + 2 * i], now_ms);
        }
        for (size_t i = 0; i < path_count; i++) {
            if (fds[1 + i].revents) {
                accept_pair(&paths[i]);
            }
        }
        if (fds[0].revents && !read_orders()) {
            return;
        }
    }
}

static bool open_path(const char *text) {
    struct path *path = &paths[path_count];
    unsigned own = 0, port = 0;
    char host[64] = "";
    int yes = 1;
    if (path_count == PATHS_MAX || sscanf(text, "%63[^=]=%u:%63[^:]:%u", path->name, &own, host, &port) != 4 ||
        own > 65535 || port > 65535) {
        fprintf(stderr, "fault-proxy: '%s' is no NAME=PORT:HOST:PORT\n", text);
        return false;
    }
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)own), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    path->service = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    path->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(path->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (inet_pton(AF_INET, host, &path->service.sin_addr) != 1 ||
        bind(path->listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(path->listener, 256) != 0) {
        fprintf(stderr, "fault-proxy: %s: %s\n", text, strerror(errno));
        return false;
    }
    path_count++;
    return true;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        if (!open_path(argv[i])) {
            return EX_USAGE;
        }
    }
    puts("ready");
    fflush(stdout);
    run();
    return 0;
}
