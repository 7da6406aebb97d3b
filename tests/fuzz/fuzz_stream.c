#include "server/native/stream.h"
#include "tests/fuzz/fuzz.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/*
 * What a stranger sends to a stream of SP, in pieces of any size, while its owner sometimes takes no message. The first
 * byte of the input steers that. The messages that come out are compared with those that a plain reading finds.
 */

#define MOST_BYTES 4000u

static const uint8_t GREETING[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

/* What was handed up, or is expected: a number for each message that depends on its bytes and its place. */
struct seen {
    uint64_t sum;
    unsigned count;
    bool opened, ended;
    enum native_end why;
};

struct owner {
    struct seen seen;
    struct native_stream *stream;
    unsigned refusals; /* to come, each before another message */
    bool refused;
};

static void add_message(struct seen *seen, const uint8_t *data, size_t bytes) {
    seen->count++;
    seen->sum = seen->sum * 31 + bytes;
    for (size_t i = 0; i < bytes; i++) {
        seen->sum = seen->sum * 31 + data[i];
    }
}

static void on_open(void *user) {
    struct owner *owner = user;
    fuzz_require(!owner->seen.opened && !owner->seen.ended, "a stream opens once, before all else");
    owner->seen.opened = true;
}

static bool on_message(void *user, uint8_t *data, size_t bytes) {
    struct owner *owner = user;
    fuzz_require(owner->seen.opened && !owner->seen.ended, "messages come while the stream is open");
    if (owner->refusals > 0 && !owner->refused) {
        owner->refusals--;
        owner->refused = true;
        return false;
    }
    owner->refused = false;
    add_message(&owner->seen, data, bytes);
    const struct native_part part = {data, bytes};
    (void)native_stream_send(owner->stream, &part, 1);
    return true;
}

static void on_sent(void *user, uint64_t position) {
    struct owner *owner = user;
    fuzz_require(!owner->seen.ended && position > 0, "what is sent has a position");
}

static void on_end(void *user, enum native_end why) {
    struct owner *owner = user;
    fuzz_require(!owner->seen.ended, "a stream ends once");
    owner->seen.ended = true;
    owner->seen.why = why;
}

static const struct native_stream_ops OPS = {on_open, on_message, on_sent, on_end};

/* ---- the plain reading ---- */

static void expect_end(struct seen *seen, enum native_end why) {
    seen->ended = true;
    seen->why = why;
}

static struct seen read_plainly(const uint8_t *data, size_t bytes, bool is_ipc) {
    struct seen seen = {.why = NATIVE_END_PEER};
    size_t head = is_ipc ? 9 : 8, at = 8;
    if (bytes < 8) {
        return seen;
    }
    if (memcmp(data, GREETING, 8) != 0) {
        expect_end(&seen, NATIVE_END_GREETING);
        return seen;
    }
    seen.opened = true;
    while (bytes - at >= head) {
        uint64_t body = 0;
        if (is_ipc && data[at] != 1) {
            expect_end(&seen, NATIVE_END_MALFORMED);
            return seen;
        }
        for (size_t i = 0; i < 8; i++) {
            body = body << 8 | data[at + head - 8 + i];
        }
        if (body > MOST_BYTES) {
            expect_end(&seen, NATIVE_END_TOO_LONG);
            return seen;
        }
        if (bytes - at - head < body) {
            return seen;
        }
        add_message(&seen, data + at + head, (size_t)body);
        at += head + (size_t)body;
    }
    return seen;
}

/* ---- the stream ---- */

static void turn(struct loop *loop, int fd, struct owner *owner) {
    char drained[4096];
    (void)uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    if (owner->refused && !owner->seen.ended) {
        native_stream_resume(owner->stream);
    }
    while (recv(fd, drained, sizeof(drained), MSG_DONTWAIT) > 0) {
        continue;
    }
}

/* Sends all in pieces of @piece bytes, as far as the stream takes them. */
static void send_pieces(struct loop *loop, int fd, struct owner *owner, const uint8_t *data, size_t bytes,
                        size_t piece) {
    while (bytes > 0 && !owner->seen.ended) {
        ssize_t sent = send(fd, data, piece < bytes ? piece : bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            data += sent;
            bytes -= (size_t)sent;
        }
        turn(loop, fd, owner);
    }
}

static void check_stream(struct loop *loop, const uint8_t *data, size_t bytes, uint8_t steer) {
    static const size_t PIECES[] = {1, 3, 7, 16, 100, 1000, 5000, 100000};
    const bool is_ipc = steer & 1;
    int pair[2];
    struct owner owner = {.refusals = steer & 2 ? 1000 : 0};
    const struct native_stream_options options = {.protocol = NATIVE_REP,
                                                  .is_ipc = is_ipc,
                                                  .max_message_bytes = MOST_BYTES,
                                                  .greeting_ms = 60000,
                                                  .ops = &OPS,
                                                  .user = &owner};
    struct native_loop *streams = native_loop_new(loop);
    fuzz_require(streams != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "there is room");
    /* Streams of TCP take any stream socket: only their framing differs. */
    owner.stream = native_stream_adopt(streams, pair[0], &options);
    fuzz_require(owner.stream != NULL, "there is memory");
    send_pieces(loop, pair[1], &owner, data, bytes, PIECES[steer >> 2 & 7]);
    for (int i = 0; i < 6 || (owner.refused && !owner.seen.ended); i++) {
        turn(loop, pair[1], &owner);
    }
    struct seen expected = read_plainly(data, bytes, is_ipc);
    fuzz_require(owner.seen.count == expected.count && owner.seen.sum == expected.sum, "the messages are those sent");
    fuzz_require(owner.seen.opened == expected.opened, "the stream opens with the right greeting");
    fuzz_require(owner.seen.ended == expected.ended, "the stream ends when it must");
    close(pair[1]);
    for (int i = 0; i < 10 && !owner.seen.ended; i++) {
        turn(loop, pair[1], &owner);
    }
    fuzz_require(owner.seen.ended && owner.seen.why == expected.why, "the stream ends for its reason");
    native_loop_close(streams);
    (void)uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    (void)uv_run(loop_uv(loop), UV_RUN_NOWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static struct loop *loop;
    static uint8_t all[70000];
    size_t used = 0;
    if (bytes == 0 || bytes > sizeof(all) - 8) {
        return -1;
    }
    if (loop == NULL) {
        signal(SIGPIPE, SIG_IGN);
        fuzz_require(loop_new(0, &loop, NULL) == HERALD_OK, "there is a loop");
    }
    if (!(data[0] & 0x80)) { /* most inputs need not find the greeting by themselves */
        memcpy(all, GREETING, sizeof(GREETING));
        used = sizeof(GREETING);
    }
    memcpy(all + used, data + 1, bytes - 1);
    check_stream(loop, all, used + bytes - 1, data[0]);
    return 0;
}
