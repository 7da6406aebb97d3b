/*
 * The floor: the bytes of SP's REQ and REP on TCP, spoken by one epoll loop on each side. What has come is read at once,
 * and what it leaves to send is written together. The loops know no time-outs, no limits and no faults.
 */
#include "tests/bench/peers/cell.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING_BYTES 8u
#define LENGTH_BYTES   8u
#define ID_BYTES       4u
#define HEAD_BYTES     (LENGTH_BYTES + ID_BYTES)
#define ID_BIT         0x80000000u
#define EVENTS         128
#define SCRATCH_BYTES  (256u * 1024u)

static const uint8_t REQ[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
static const uint8_t REP[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

struct bytes {
    uint8_t *at;
    size_t count, room;
};

struct line {
    int fd;
    bool greeted, is_blocked; /* the peer's greeting has come; the kernel takes no more now */
    struct bytes in, out;     /* what is no whole message yet; what the kernel has not taken */
};

struct side;
typedef void take_fn(struct side *side, struct line *line, uint8_t *message, size_t bytes);

struct side {
    int epoll;
    const uint8_t *greeting; /* the peers' */
    take_fn *take;
    const struct cell *cell;
    uint64_t *started_ns; /* of the client: by the number of a request */
    uint8_t scratch[SCRATCH_BYTES];
};

/* ---- bytes ---- */

static uint8_t *append_room(struct bytes *bytes, size_t count) {
    if (bytes->count + count > bytes->room) {
        bytes->room = (bytes->count + count) * 2;
        bytes->at = realloc(bytes->at, bytes->room);
        if (!bytes->at) {
            cell_fail("no memory");
        }
    }
    uint8_t *at = bytes->at + bytes->count;
    bytes->count += count;
    return at;
}

static void drop_front(struct bytes *bytes, size_t count) {
    bytes->count -= count;
    memmove(bytes->at, bytes->at + count, bytes->count);
}

/* ---- lines ---- */

static void watch(const struct side *side, struct line *line, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (line->is_blocked ? EPOLLOUT : 0), .data.ptr = line};
    if (epoll_ctl(side->epoll, operation, line->fd, &event) != 0) {
        cell_fail("epoll_ctl: %s", strerror(errno));
    }
}

static struct line *add_line(const struct side *side, int fd, const uint8_t *greeting) {
    struct line *line = calloc(1, sizeof(*line));
    int on = 1;
    if (!line) {
        cell_fail("no memory");
    }
    line->fd = fd;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    memcpy(append_room(&line->out, GREETING_BYTES), greeting, GREETING_BYTES);
    watch(side, line, EPOLL_CTL_ADD);
    return line;
}

static void flush_line(const struct side *side, struct line *line) {
    size_t done = 0;
    bool was_blocked = line->is_blocked;
    line->is_blocked = false;
    while (done < line->out.count && !line->is_blocked) {
        ssize_t written = send(line->fd, line->out.at + done, line->out.count - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (written < 0 && errno != EAGAIN) {
            cell_fail("send: %s", strerror(errno));
        }
        line->is_blocked = written < 0;
        done += written > 0 ? (size_t)written : 0;
    }
    drop_front(&line->out, done);
    if (line->is_blocked != was_blocked) {
        watch(side, line, EPOLL_CTL_MOD);
    }
}

/* Takes what is whole. Returns: the bytes that are done with. */
static size_t take_whole(struct side *side, struct line *line, uint8_t *at, size_t count) {
    size_t done = 0;
    if (!line->greeted && count >= GREETING_BYTES) {
        if (memcmp(at, side->greeting, GREETING_BYTES) != 0) {
            cell_fail("the peer does not greet as SP does");
        }
        line->greeted = true;
        done = GREETING_BYTES;
    }
    while (line->greeted && count - done >= HEAD_BYTES) {
        uint64_t length;
        memcpy(&length, at + done, sizeof(length));
        length = be64toh(length);
        if (length < ID_BYTES || length > 2 * side->cell->bytes + ID_BYTES) {
            cell_fail("a message of %llu bytes", (unsigned long long)length);
        }
        if (count - done < LENGTH_BYTES + length) {
            break;
        }
        side->take(side, line, at + done, LENGTH_BYTES + (size_t)length);
        done += LENGTH_BYTES + (size_t)length;
    }
    return done;
}

/* False: the peer has left. */
static bool read_line(struct side *side, struct line *line) {
    ssize_t got = recv(line->fd, side->scratch, sizeof(side->scratch), MSG_DONTWAIT);
    if (got <= 0) {
        return got < 0 && errno == EAGAIN;
    }
    if (line->in.count == 0) {
        size_t done = take_whole(side, line, side->scratch, (size_t)got), rest = (size_t)got - done;
        if (rest > 0) {
            memcpy(append_room(&line->in, rest), side->scratch + done, rest);
        }
    } else {
        memcpy(append_room(&line->in, (size_t)got), side->scratch, (size_t)got);
        drop_front(&line->in, take_whole(side, line, line->in.at, line->in.count));
    }
    return true;
}

static void turn(struct side *side, struct line *line) {
    if (!read_line(side, line)) {
        close(line->fd);
        line->fd = -1;
        return;
    }
    flush_line(side, line);
}

static struct side *new_side(const struct cell *cell, const uint8_t *greeting, take_fn *take) {
    struct side *side = calloc(1, sizeof(*side));
    if (!side || (side->epoll = epoll_create1(0)) < 0) {
        cell_fail("no epoll");
    }
    side->cell = cell;
    side->greeting = greeting;
    side->take = take;
    return side;
}

static struct sockaddr_in address_of(const struct cell *cell) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)cell->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* ---- the server ---- */

static void answer(struct side *side, struct line *line, uint8_t *message, size_t bytes) {
    (void)side;
    memcpy(append_room(&line->out, bytes), message, bytes); /* the number and the payload go back as they came */
}

static void accept_line(const struct side *side, int listener) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) {
        cell_fail("accept: %s", strerror(errno));
    }
    flush_line(side, add_line(side, fd, REP));
}

static void serve(const struct cell *cell) {
    struct side *side = new_side(cell, REQ, answer);
    struct sockaddr_in address = address_of(cell);
    struct line listener = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct epoll_event events[EVENTS];
    int on = 1;
    (void)setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener.fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener.fd, 1024) != 0) {
        cell_fail("listen: %s", strerror(errno));
    }
    watch(side, &listener, EPOLL_CTL_ADD);
    for (;;) {
        int count = epoll_wait(side->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &listener) {
                accept_line(side, listener.fd);
            } else {
                turn(side, events[i].data.ptr);
            }
        }
    }
}

/* ---- the client ---- */

/* The number of a request is its id, and stands in its payload too. */
static void ask(const struct side *side, struct line *line, uint32_t number) {
    uint64_t length = htobe64(ID_BYTES + side->cell->bytes);
    uint32_t id = htobe32(number | ID_BIT);
    uint8_t *at = append_room(&line->out, HEAD_BYTES + side->cell->bytes);
    memcpy(at, &length, sizeof(length));
    memcpy(at + LENGTH_BYTES, &id, sizeof(id));
    cell_fill(at + HEAD_BYTES, side->cell->bytes, number);
    side->started_ns[number] = cell_now_ns();
}

static void take_reply(struct side *side, struct line *line, uint8_t *message, size_t bytes) {
    uint32_t id;
    memcpy(&id, message + LENGTH_BYTES, sizeof(id));
    uint32_t number = be32toh(id) & ~ID_BIT;
    if (number >= side->cell->connections * side->cell->in_flight) {
        cell_fail("a reply to no request");
    }
    cell_note(side->cell, number, side->started_ns[number], message + HEAD_BYTES, bytes - HEAD_BYTES);
    ask(side, line, number);
}

static struct line *connect_line(const struct side *side) {
    struct sockaddr_in address = address_of(side->cell);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        cell_fail("connect: %s", strerror(errno));
    }
    return add_line(side, fd, REQ);
}

static void call(const struct cell *cell) {
    struct side *side = new_side(cell, REP, take_reply);
    struct epoll_event events[EVENTS];
    uint32_t number = 0;
    side->started_ns = calloc((size_t)cell->connections * cell->in_flight, sizeof(*side->started_ns));
    if (!side->started_ns) {
        cell_fail("no memory");
    }
    for (unsigned i = 0; i < cell->connections; i++) {
        struct line *line = connect_line(side);
        for (unsigned j = 0; j < cell->in_flight; j++) {
            ask(side, line, number++);
        }
        flush_line(side, line);
    }
    for (;;) {
        int count = epoll_wait(side->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct line *line = events[i].data.ptr;
            turn(side, line);
            if (line->fd < 0) {
                cell_fail("the server has closed a connection");
            }
        }
    }
}

int main(int argc, char **argv) {
    static const struct cell_system system = {.name = "sp", .serve = serve, .call = call};
    return cell_main(&system, argc, argv);
}
