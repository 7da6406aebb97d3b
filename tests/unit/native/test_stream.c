#include "client/src/stream_shim.h"
#include "server/native/stream.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/transport/stranger.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/*
 * A loop on a thread of its own accepts what connects to one socket and echoes each message, as REP does: the words in
 * front stay. The other side is nng's own, or a stranger. A message whose body says "hold" is not taken until the test
 * lets it go.
 */

#define PATIENCE_MS   10000
#define GREETING_MS   600u
#define MESSAGE_BYTES (1024u * 1024u)

struct side {
    struct loop *loop;
    pthread_t thread;
    struct native_loop *streams;
    int fd;
    char url[128];
    bool is_ipc;
    atomic_uint opened, messages, ended, ends[16];
    atomic_size_t unsent, largest_unsent;
    atomic_ullong position, sent;
    atomic_bool holds;
    atomic_bool is_held;        /* the loop */
    atomic_uint before_urgent;  /* messages that came before the one that says "urgent" */
    struct native_stream *last; /* the loop's */
    atomic_int reply_first;     /* first byte of the last message that a dialled stream got */
};

static void sleep_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

#define EXPECT_SOON(condition)                                                                                         \
    do {                                                                                                               \
        for (int waited = 0; !(condition) && waited < PATIENCE_MS; waited += 2) {                                      \
            sleep_ms(2);                                                                                               \
        }                                                                                                              \
        assert_true(condition);                                                                                        \
    } while (0)

/* ---- the loop's side ---- */

struct peer_of_side {
    struct side *side;
    struct native_stream *stream;
};

static void on_open(void *user) {
    struct peer_of_side *peer = user;
    atomic_fetch_add(&peer->side->opened, 1);
}

static bool on_message(void *user, uint8_t *data, size_t bytes) {
    struct peer_of_side *peer = user;
    struct side *side = peer->side;
    if (atomic_load(&side->holds) && bytes >= 8 && memcmp(data + 4, "hold", 4) == 0) {
        return false;
    }
    unsigned before = atomic_fetch_add(&side->messages, 1);
    if (bytes == 10 && memcmp(data + 4, "urgent", 6) == 0) {
        atomic_store(&side->before_urgent, before);
    }
    const struct native_part parts[] = {{data, bytes / 2}, {data + bytes / 2, bytes - bytes / 2}};
    uint64_t position = native_stream_send(peer->stream, parts, 2);
    size_t unsent = native_stream_unsent(peer->stream);
    atomic_store(&side->position, position);
    if (unsent > atomic_load(&side->largest_unsent)) {
        atomic_store(&side->largest_unsent, unsent);
    }
    return true;
}

static void on_sent(void *user, uint64_t position) {
    struct peer_of_side *peer = user;
    atomic_store(&peer->side->sent, position);
}

static void on_end(void *user, enum native_end why) {
    struct peer_of_side *peer = user;
    atomic_fetch_add(&peer->side->ends[why], 1);
    atomic_fetch_add(&peer->side->ended, 1);
    free(peer);
}

static const struct native_stream_ops ECHO = {on_open, on_message, on_sent, on_end};

static void on_wake(struct loop_work *work);

enum order_kind { ADOPT, RESUME, HOLD, END };

struct order {
    struct loop_work work; /* first */
    struct side *side;
    enum order_kind what;
    int fd;
};

static void order(struct side *side, enum order_kind what, int fd) {
    struct order *order = calloc(1, sizeof(*order));
    *order = (struct order){.work.run = on_wake, .side = side, .what = what, .fd = fd};
    loop_post(side->loop, &order->work);
}

static void adopt(struct side *side, int fd) {
    struct peer_of_side *peer = calloc(1, sizeof(*peer));
    const struct native_stream_options options = {.protocol = NATIVE_REP,
                                                  .is_ipc = side->is_ipc,
                                                  .max_message_bytes = MESSAGE_BYTES + 4,
                                                  .greeting_ms = GREETING_MS,
                                                  .ops = &ECHO,
                                                  .user = peer};
    peer->side = side;
    peer->stream = side->last = native_stream_adopt(side->streams, fd, &options);
    assert_non_null(peer->stream);
}

static void on_wake(struct loop_work *work) {
    struct order *order = (struct order *)work;
    struct side *side = order->side;
    switch (order->what) {
    case ADOPT:
        adopt(side, order->fd);
        break;
    case HOLD:
        while (atomic_load(&side->is_held)) {
            sleep_ms(1);
        }
        break;
    case RESUME:
        native_stream_resume(side->last);
        break;
    default:
        native_loop_close(side->streams);
        loop_stop(side->loop);
    }
    free(order);
}

static void *run_side(void *arg) {
    struct side *side = arg;
    loop_run(side->loop);
    return NULL;
}

/* ---- accepting ---- */

static void listen_tcp(struct side *side) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    side->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(side->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(side->fd, 64), 0);
    assert_int_equal(getsockname(side->fd, (struct sockaddr *)&address, &bytes), 0);
    snprintf(side->url, sizeof(side->url), "tcp://127.0.0.1:%u", ntohs(address.sin_port));
}

static void listen_ipc(struct side *side) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/native-stream-%d", (int)getpid());
    unlink(address.sun_path);
    side->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(side->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(side->fd, 64), 0);
    snprintf(side->url, sizeof(side->url), "ipc://%s", address.sun_path);
}

static void accept_one(struct side *side) {
    int fd = accept4(side->fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    order(side, ADOPT, fd);
}

static void start_side(struct side *side, bool is_ipc) {
    memset(side, 0, sizeof(*side));
    side->is_ipc = is_ipc;
    assert_int_equal(loop_new(0, &side->loop, NULL), HERALD_OK);
    side->streams = native_loop_new(side->loop);
    assert_non_null(side->streams);
    (is_ipc ? listen_ipc : listen_tcp)(side);
    assert_int_equal(pthread_create(&side->thread, NULL, run_side, side), 0);
}

static void stop_side(struct side *side) {
    order(side, END, -1);
    pthread_join(side->thread, NULL);
    loop_free(side->loop);
    close(side->fd);
    if (side->is_ipc) {
        unlink(side->url + strlen("ipc://"));
    }
}

/* ---- nng as the peer ---- */

static nng_socket dial_req(struct side *side) {
    nng_socket socket;
    herald_stream_shim_install(); /* for the client here: a server of the native engine needs none */
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
    assert_int_equal(nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, 0), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, PATIENCE_MS), 0);
    assert_int_equal(nng_dial(socket, side->url, NULL, NNG_FLAG_NONBLOCK), 0);
    accept_one(side);
    return socket;
}

static void expect_echo(nng_socket socket, size_t bytes) {
    nng_msg *message = NULL;
    assert_int_equal(nng_msg_alloc(&message, bytes), 0);
    uint8_t *body = nng_msg_body(message);
    for (size_t i = 0; i < bytes; i++) {
        body[i] = (uint8_t)(i * 7 + bytes);
    }
    assert_int_equal(nng_sendmsg(socket, message, 0), 0);
    assert_int_equal(nng_recvmsg(socket, &message, 0), 0);
    assert_int_equal(nng_msg_len(message), bytes);
    body = nng_msg_body(message);
    for (size_t i = 0; i < bytes; i++) {
        assert_int_equal(body[i], (uint8_t)(i * 7 + bytes));
    }
    nng_msg_free(message);
}

static void check_req_of_nng(bool is_ipc) {
    static const size_t SIZES[] = {0, 1, 100, 4087, 5000, 65536, 262140, 262144, 300000, MESSAGE_BYTES};
    struct side side;
    start_side(&side, is_ipc);
    nng_socket socket = dial_req(&side);
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        expect_echo(socket, SIZES[i]);
        expect_echo(socket, SIZES[i]);
    }
    nng_close(socket);
    EXPECT_SOON(atomic_load(&side.ends[NATIVE_END_PEER]) == 1);
    assert_int_equal(atomic_load(&side.opened), 1);
    stop_side(&side);
}

static void test_req_of_nng_is_answered_over_tcp(void **state) {
    (void)state;
    check_req_of_nng(false);
}

static void test_req_of_nng_is_answered_over_ipc(void **state) {
    (void)state;
    check_req_of_nng(true);
}

#define CONTEXTS 64
#define ROUNDS   200

struct caller {
    nng_ctx context;
    nng_aio *aio;
    unsigned sent, good;
    bool receives;
    atomic_bool done;
};

static void caller_send(struct caller *caller) {
    nng_msg *message = NULL;
    if (caller->sent == ROUNDS || nng_msg_alloc(&message, 64) != 0) {
        atomic_store(&caller->done, true);
        return;
    }
    memset(nng_msg_body(message), (int)caller->sent, 64);
    caller->receives = false;
    nng_aio_set_msg(caller->aio, message);
    nng_ctx_send(caller->context, caller->aio);
}

static void on_caller(void *arg) {
    struct caller *caller = arg;
    if (nng_aio_result(caller->aio) != 0) {
        atomic_store(&caller->done, true);
        return;
    }
    if (!caller->receives) {
        caller->receives = true;
        nng_ctx_recv(caller->context, caller->aio);
        return;
    }
    nng_msg *message = nng_aio_get_msg(caller->aio);
    caller->good += nng_msg_len(message) == 64 && *(uint8_t *)nng_msg_body(message) == (uint8_t)caller->sent;
    caller->sent++;
    nng_msg_free(message);
    caller_send(caller);
}

static void test_many_contexts_of_nng_share_a_stream(void **state) {
    (void)state;
    static struct caller callers[CONTEXTS];
    struct side side;
    start_side(&side, false);
    nng_socket socket = dial_req(&side);
    for (int i = 0; i < CONTEXTS; i++) {
        callers[i] = (struct caller){.sent = 0};
        assert_int_equal(nng_ctx_open(&callers[i].context, socket), 0);
        assert_int_equal(nng_aio_alloc(&callers[i].aio, on_caller, &callers[i]), 0);
        caller_send(&callers[i]);
    }
    for (int i = 0; i < CONTEXTS; i++) {
        EXPECT_SOON(atomic_load(&callers[i].done));
        nng_aio_free(callers[i].aio);
        assert_int_equal(callers[i].good, ROUNDS);
    }
    assert_int_equal(atomic_load(&side.messages), CONTEXTS * ROUNDS);
    nng_close(socket);
    stop_side(&side);
}

/* ---- dialling ---- */

static void on_dialled_open(void *user) {
    struct peer_of_side *peer = user;
    const uint8_t request[] = {0x80, 0, 0, 9, 'h', 'i'};
    const struct native_part part = {request, sizeof(request)};
    assert_true(native_stream_send(peer->stream, &part, 1) > 0);
    on_open(user);
}

static bool on_reply(void *user, uint8_t *data, size_t bytes) {
    struct peer_of_side *peer = user;
    static const uint8_t REPLY[] = {0x80, 0, 0, 9, 'y', 'o', 'u'};
    if (bytes == sizeof(REPLY) && memcmp(data, REPLY, bytes) == 0) {
        atomic_fetch_add(&peer->side->messages, 1);
    }
    return true;
}

static const struct native_stream_ops DIALLED = {on_dialled_open, on_reply, on_sent, on_end};

struct dial {
    struct loop_work work; /* first */
    struct side *side;
    const char *url;
};

static void on_dial(struct loop_work *work) {
    struct dial *dial = (struct dial *)work;
    struct peer_of_side *peer = calloc(1, sizeof(*peer));
    const struct native_stream_options options = {
        .protocol = NATIVE_REQ, .greeting_ms = GREETING_MS, .ops = &DIALLED, .user = peer};
    peer->side = dial->side;
    peer->stream = native_stream_dial(dial->side->streams, dial->url, &options);
    assert_non_null(peer->stream);
    const struct native_part part = {"", 0};
    assert_int_equal(native_stream_send(peer->stream, &part, 1), 0); /* not open yet */
}

static void check_rep_of_nng(const char *listen, const char *dial_as) {
    struct side side;
    nng_socket socket;
    nng_msg *message = NULL;
    nng_listener listener;
    char url[128];
    int port = 0;
    start_side(&side, false);
    assert_int_equal(nng_rep0_open(&socket), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, PATIENCE_MS), 0);
    assert_int_equal(nng_listen(socket, listen, &listener, 0), 0);
    (void)nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port);
    snprintf(url, sizeof(url), dial_as, port);
    struct dial dial = {.work.run = on_dial, .side = &side, .url = url};
    loop_post(side.loop, &dial.work);
    assert_int_equal(nng_recvmsg(socket, &message, 0), 0);
    assert_int_equal(nng_msg_len(message), 2);
    nng_msg_clear(message);
    nng_msg_append(message, "you", 3);
    assert_int_equal(nng_sendmsg(socket, message, 0), 0);
    EXPECT_SOON(atomic_load(&side.messages) == 1);
    nng_close(socket);
    EXPECT_SOON(atomic_load(&side.ends[NATIVE_END_PEER]) == 1);
    stop_side(&side);
}

static void test_rep_of_nng_is_called(void **state) {
    (void)state;
    char url[128];
    snprintf(url, sizeof(url), "ipc:///tmp/native-stream-rep-%d", (int)getpid());
    check_rep_of_nng("tcp://127.0.0.1:0", "tcp://127.0.0.1:%d");
    check_rep_of_nng("tcp://127.0.0.1:0", "tcp://localhost:%d");
    check_rep_of_nng(url, url);
}

static void test_dial_of_nobody_ends(void **state) {
    (void)state;
    static const char *const URLS[] = {"tcp://127.0.0.1:1", "tcp://no-such-host.invalid:1", "ipc:///no/such/socket",
                                       "tcp://127.0.0.1", "nonsense"};
    struct side side;
    struct dial dials[sizeof(URLS) / sizeof(URLS[0])];
    unsigned count = sizeof(URLS) / sizeof(URLS[0]);
    start_side(&side, false);
    for (unsigned i = 0; i < count; i++) {
        dials[i] = (struct dial){.work.run = on_dial, .side = &side, .url = URLS[i]};
        loop_post(side.loop, &dials[i].work);
    }
    EXPECT_SOON(atomic_load(&side.ended) == count);
    assert_int_equal(atomic_load(&side.ends[NATIVE_END_DIAL]) + atomic_load(&side.ends[NATIVE_END_SLOW]), count);
    assert_true(atomic_load(&side.ends[NATIVE_END_DIAL]) >= count - 1); /* a resolver may take its time */
    stop_side(&side);
}

/* ---- strangers ---- */

static int connect_stranger(struct side *side) {
    int fd = stranger_connect(side->url);
    assert_true(fd >= 0);
    accept_one(side);
    return fd;
}

static void expect_bytes(int fd, const void *expected, size_t bytes) {
    uint8_t *got = malloc(bytes);
    for (size_t used = 0; used < bytes;) {
        ssize_t count = recv(fd, got + used, bytes - used, 0);
        assert_true(count > 0);
        used += (size_t)count;
    }
    assert_memory_equal(got, expected, bytes);
    free(got);
}

static void test_wrong_greetings_end(void **state) {
    (void)state;
    static const uint8_t WRONG[][8] = {{'G', 'E', 'T', ' ', '/', ' ', 'H', 'T'},
                                       {0, 'S', 'P', 1, 0, 0x30, 0, 0},
                                       {0, 'S', 'P', 0, 0, 0x31, 0, 0},
                                       {0, 'S', 'P', 0, 0, 0x30, 0, 1}};
    struct side side;
    start_side(&side, false);
    for (unsigned i = 0; i < 4; i++) {
        int fd = connect_stranger(&side);
        stranger_send(fd, WRONG[i], 8);
        assert_true(stranger_was_left(fd, PATIENCE_MS));
        EXPECT_SOON(atomic_load(&side.ends[NATIVE_END_GREETING]) == i + 1);
        close(fd);
    }
    assert_int_equal(atomic_load(&side.opened), 0);
    stop_side(&side);
}

static void test_half_a_greeting_ends_in_time(void **state) {
    (void)state;
    struct side side;
    start_side(&side, false);
    int fd = connect_stranger(&side);
    stranger_send(fd, STRANGER_GREETING, 5);
    assert_true(stranger_was_left(fd, PATIENCE_MS));
    EXPECT_SOON(atomic_load(&side.ends[NATIVE_END_SLOW]) == 1);
    close(fd);
    int open = connect_stranger(&side);
    assert_true(stranger_greet(open));
    assert_false(stranger_was_left(open, 2 * (int)GREETING_MS)); /* one that has greeted may be silent */
    close(open);
    stop_side(&side);
}

static void check_bad_frame(bool is_ipc, const void *frame, size_t bytes, enum native_end why) {
    struct side side;
    start_side(&side, is_ipc);
    int fd = connect_stranger(&side);
    assert_true(stranger_greet(fd));
    stranger_send(fd, frame, bytes);
    assert_true(stranger_was_left(fd, PATIENCE_MS));
    EXPECT_SOON(atomic_load(&side.ends[why]) == 1);
    assert_int_equal(atomic_load(&side.messages), 0);
    close(fd);
    stop_side(&side);
}

static void test_bad_frames_end(void **state) {
    (void)state;
    check_bad_frame(false, "\0\0\0\0\0\x10\0\x05", 8, NATIVE_END_TOO_LONG);
    check_bad_frame(false, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, NATIVE_END_TOO_LONG);
    check_bad_frame(true, "\x01\0\0\0\0\0\x10\0\x05", 9, NATIVE_END_TOO_LONG);
    check_bad_frame(true, "\x02\0\0\0\0\0\0\0\x04", 9, NATIVE_END_MALFORMED);
}

static void test_message_that_drips_is_answered(void **state) {
    (void)state;
    struct side side;
    uint8_t frame[8 + 6000] = {0, 0, 0, 0, 0, 0, 6000 >> 8, 6000 & 0xff, 0x80};
    start_side(&side, false);
    int fd = connect_stranger(&side);
    for (size_t i = 0; i < 8; i++) {
        stranger_send(fd, STRANGER_GREETING + i, 1);
        sleep_ms(2);
    }
    expect_bytes(fd, "\0SP\0\0\x31\0\0", 8);
    for (size_t i = 8; i < sizeof(frame); i++) {
        frame[i] = (uint8_t)(i * 3);
    }
    for (size_t i = 0; i < sizeof(frame);) {
        size_t bytes = i < 20 ? 1 : 700;
        bytes = i + bytes < sizeof(frame) ? bytes : sizeof(frame) - i;
        stranger_send(fd, frame + i, bytes);
        sleep_ms(2);
        i += bytes;
    }
    expect_bytes(fd, frame, sizeof(frame));
    close(fd);
    stop_side(&side);
}

static void send_small(int fd, const char *body) {
    uint8_t frame[16] = {0, 0, 0, 0, 0, 0, 0, 8, 0x80};
    memcpy(frame + 12, body, 4);
    stranger_send(fd, frame, sizeof(frame));
}

static void test_message_that_is_not_taken_comes_again(void **state) {
    (void)state;
    struct side side;
    start_side(&side, false);
    atomic_store(&side.holds, true);
    int fd = connect_stranger(&side);
    assert_true(stranger_greet(fd));
    send_small(fd, "one ");
    send_small(fd, "hold");
    send_small(fd, "two ");
    EXPECT_SOON(atomic_load(&side.messages) == 1);
    sleep_ms(50);
    assert_int_equal(atomic_load(&side.messages), 1);
    order(&side, RESUME, -1); /* asked once more, and not taken once more */
    sleep_ms(50);
    assert_int_equal(atomic_load(&side.messages), 1);
    atomic_store(&side.holds, false);
    order(&side, RESUME, -1);
    EXPECT_SOON(atomic_load(&side.messages) == 3);
    send_small(fd, "more");
    EXPECT_SOON(atomic_load(&side.messages) == 4);
    close(fd);
    EXPECT_SOON(atomic_load(&side.ends[NATIVE_END_PEER]) == 1);
    stop_side(&side);
}

#define BURST        64u
#define BURST_UNSENT 16u /* as many as gather before the kernel gets them */

/* The peer gets the first replies while the others are still made. */
static void test_many_messages_of_a_turn_are_sent_in_parts(void **state) {
    (void)state;
    struct side side;
    static uint8_t frames[BURST * 16];
    for (size_t i = 0; i < BURST; i++) {
        memcpy(frames + i * 16, (const uint8_t[16]){0, 0, 0, 0, 0, 0, 0, 8, 0x80, 0, 0, (uint8_t)i}, 16);
    }
    start_side(&side, false);
    int fd = connect_stranger(&side);
    assert_true(stranger_greet(fd));
    stranger_send(fd, frames, sizeof(frames));
    expect_bytes(fd, frames, sizeof(frames));
    assert_true(atomic_load(&side.largest_unsent) < (size_t)BURST_UNSENT * 16);
    close(fd);
    stop_side(&side);
}

#define SLOW_MESSAGES 200u
#define SLOW_BYTES    50000u

/* A peer that sends and does not read, then reads all. */
static void test_slow_reader_is_counted_and_gets_all(void **state) {
    (void)state;
    struct side side;
    static uint8_t frame[8 + SLOW_BYTES];
    frame[6] = SLOW_BYTES >> 8 & 0xff;
    frame[5] = SLOW_BYTES >> 16;
    frame[7] = SLOW_BYTES & 0xff;
    frame[8] = 0x80;
    start_side(&side, false);
    int fd = connect_stranger(&side);
    assert_true(stranger_greet(fd));
    for (unsigned i = 0; i < SLOW_MESSAGES; i++) {
        frame[12] = (uint8_t)i;
        stranger_send(fd, frame, sizeof(frame));
    }
    EXPECT_SOON(atomic_load(&side.messages) == SLOW_MESSAGES);
    assert_true(atomic_load(&side.largest_unsent) > 100000);
    assert_true(atomic_load(&side.sent) < atomic_load(&side.position));
    for (unsigned i = 0; i < SLOW_MESSAGES; i++) {
        frame[12] = (uint8_t)i;
        expect_bytes(fd, frame, sizeof(frame));
    }
    EXPECT_SOON(atomic_load(&side.sent) == atomic_load(&side.position));
    close(fd);
    stop_side(&side);
}

#define FLOOD_MESSAGES 5000u
/* Two reads of small messages, at most. */
#define FLOOD_TURN_MAX 1300u

/* Who sends much does not keep another waiting until all of it is done. */
static void test_flood_leaves_room_for_others(void **state) {
    (void)state;
    struct side side;
    static uint8_t frames[FLOOD_MESSAGES][13];
    static const uint8_t urgent[] = {0, 0, 0, 0, 0, 0, 0, 10, 0x80, 0, 0, 1, 'u', 'r', 'g', 'e', 'n', 't'};
    for (unsigned i = 0; i < FLOOD_MESSAGES; i++) {
        memcpy(frames[i], (const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 5, 0x80, 0, 0, 1, 'x'}, sizeof(frames[i]));
    }
    start_side(&side, false);
    int flood = connect_stranger(&side), other = connect_stranger(&side);
    assert_true(stranger_greet(flood));
    assert_true(stranger_greet(other));
    EXPECT_SOON(atomic_load(&side.opened) == 2);
    atomic_store(&side.is_held, true);
    order(&side, HOLD, -1);
    stranger_send(flood, frames, sizeof(frames));
    stranger_send(other, urgent, sizeof(urgent));
    atomic_store(&side.is_held, false);
    expect_bytes(other, urgent, sizeof(urgent));
    assert_true(atomic_load(&side.before_urgent) <= FLOOD_TURN_MAX);
    expect_bytes(flood, frames, sizeof(frames));
    close(flood);
    close(other);
    stop_side(&side);
}

static void test_hang_ups_at_any_byte_are_survived(void **state) {
    (void)state;
    struct side side;
    uint8_t bytes[8 + 16] = {0, 'S', 'P', 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0x80};
    start_side(&side, false);
    for (size_t i = 0; i <= sizeof(bytes); i++) {
        for (int how = 0; how < STRANGER_LEAVINGS; how++) {
            int fd = connect_stranger(&side);
            stranger_send(fd, bytes, i);
            stranger_leave(fd, (enum stranger_leaving)how);
        }
    }
    EXPECT_SOON(atomic_load(&side.ended) == (sizeof(bytes) + 1) * STRANGER_LEAVINGS);
    nng_socket socket = dial_req(&side);
    expect_echo(socket, 100);
    nng_close(socket);
    stop_side(&side);
}

static void test_end_with_open_streams_ends_each_once(void **state) {
    (void)state;
    struct side side;
    start_side(&side, false);
    nng_socket socket = dial_req(&side);
    expect_echo(socket, 10);
    int half = connect_stranger(&side);
    stop_side(&side);
    assert_int_equal(atomic_load(&side.ends[NATIVE_END_OURS]), 2);
    assert_int_equal(atomic_load(&side.ended), 2);
    close(half);
    nng_close(socket);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_req_of_nng_is_answered_over_tcp),
        cmocka_unit_test(test_req_of_nng_is_answered_over_ipc),
        cmocka_unit_test(test_many_contexts_of_nng_share_a_stream),
        cmocka_unit_test(test_rep_of_nng_is_called),
        cmocka_unit_test(test_dial_of_nobody_ends),
        cmocka_unit_test(test_wrong_greetings_end),
        cmocka_unit_test(test_half_a_greeting_ends_in_time),
        cmocka_unit_test(test_bad_frames_end),
        cmocka_unit_test(test_message_that_drips_is_answered),
        cmocka_unit_test(test_message_that_is_not_taken_comes_again),
        cmocka_unit_test(test_many_messages_of_a_turn_are_sent_in_parts),
        cmocka_unit_test(test_slow_reader_is_counted_and_gets_all),
        cmocka_unit_test(test_flood_leaves_room_for_others),
        cmocka_unit_test(test_hang_ups_at_any_byte_are_survived),
        cmocka_unit_test(test_end_with_open_streams_ends_each_once),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
