/*
 * Life and receiving. One buffer of the loop takes what each read finds, and messages are handed up there. What is left,
 * the beginning of a message, is kept in `in`, and copied to the front of that buffer before the next read. A message
 * of which more than KEPT_BYTES have come is read into `in` itself, which grows with what comes, not with what the peer
 * announces.
 */
#include "client/base/minimum.h"
#include "server/native/stream_private.h"
#include "server/runtime/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The beginning of a message is copied for each read only up to this size. */
#define KEPT_BYTES 4096u
/* A read has room for so much at first. While it holds few messages, the next one has room for twice as much; after one with
 * many it has little again. So nobody who sends many small messages keeps the others waiting. */
#define ROOM_LEAST    8192u
#define FEW_MESSAGES  16u
#define MANY_MESSAGES 64u
/* A read of a long message that fills so much is the last one of its turn. */
#define FLOOD_BYTES (NATIVE_SCRATCH_BYTES / 2)
/* `in` grows by that much, or to twice its size, before the bytes have come. */
#define GROWN_BYTES 65536u

const char *native_end_text(enum native_end why) {
    static const char *const TEXTS[] = {
        [NATIVE_END_OURS] = "closed here",
        [NATIVE_END_PEER] = "the peer closed the connection, or the network failed",
        [NATIVE_END_DIAL] = "cannot connect",
        [NATIVE_END_GREETING] = "the peer does not speak the protocol of SP that belongs to ours",
        [NATIVE_END_SLOW] = "no connection or no greeting in time",
        [NATIVE_END_MALFORMED] = "the peer sent what is no message",
        [NATIVE_END_TOO_LONG] = "the peer sent a message that is too long",
        [NATIVE_END_INSECURE] = "TLS failed",
        [NATIVE_END_MEMORY] = "no memory",
    };
    return TEXTS[why];
}

/* ---- the end ---- */

static void end_stream(struct native_stream *stream) {
    struct native_loop *loop = stream->loop;
    const struct native_stream_options *options = &stream->options;
    if (!stream->is_closed || stream->is_looking_up) {
        return;
    }
    if (options->ops->on_end != NULL) {
        options->ops->on_end(options->user, stream->why);
    }
    native_stream_drop_unsent(stream);
    native_loop_reset_buffer(loop, &stream->in, 0);
    if (options->secure_ops != NULL) {
        options->secure_ops->free(options->secure);
    }
    free(stream->host_port);
    native_loop_leave(loop, stream);
    free(stream);
}

static void on_stream_closed(uv_handle_t *handle) {
    struct native_stream *stream = (struct native_stream *)handle; /* its first member */
    stream->is_closed = true;
    end_stream(stream);
}

void native_stream_fail(struct native_stream *stream, enum native_end why) {
    if (stream->state == NATIVE_CLOSING) {
        return;
    }
    native_loop_unmark(stream->loop, stream);
    if (why != NATIVE_END_PEER && why != NATIVE_END_INSECURE) {
        native_stream_say_end(stream);
    }
    if (stream->state != NATIVE_OPEN) {
        native_loop_grown(stream->loop, stream);
    }
    stream->state = NATIVE_CLOSING;
    stream->why = why;
    if (stream->is_looking_up) {
        (void)uv_cancel((uv_req_t *)&stream->lookup);
    }
    uv_close(&stream->uv.handle, on_stream_closed);
}

void native_stream_close(struct native_stream *stream) {
    native_stream_fail(stream, NATIVE_END_OURS);
}

/* ---- messages ---- */

/* Zero, "SP", version 0, the protocol, reserved. */
static void make_greeting(enum native_protocol protocol, uint8_t ret_greeting[NATIVE_GREETING_BYTES]) {
    const uint8_t greeting[NATIVE_GREETING_BYTES] = {0, 'S', 'P', 0, 0, (uint8_t)protocol, 0, 0};
    memcpy(ret_greeting, greeting, sizeof(greeting));
}

static void take_greeting(struct native_stream *stream, const uint8_t *data) {
    uint8_t wanted[NATIVE_GREETING_BYTES];
    make_greeting(stream->options.protocol == NATIVE_REP ? NATIVE_REQ : NATIVE_REP, wanted);
    if (memcmp(data, wanted, sizeof(wanted)) != 0) {
        native_stream_fail(stream, NATIVE_END_GREETING);
        return;
    }
    native_loop_grown(stream->loop, stream);
    stream->state = NATIVE_OPEN;
    stream->reported = stream->queued;
    if (stream->options.ops->on_open != NULL) {
        stream->options.ops->on_open(stream->options.user);
    }
}

static size_t head_bytes(const struct native_stream *stream) {
    return stream->options.is_ipc ? NATIVE_HEAD_MAX : NATIVE_HEAD_MAX - 1;
}

/* Reads the head of a message. False: the stream has ended. */
static bool read_message_head(struct native_stream *stream, const uint8_t *data, uint64_t *ret_bytes) {
    uint64_t bytes = 0, most = stream->options.max_message_bytes;
    if (stream->options.is_ipc && *data++ != 1) {
        native_stream_fail(stream, NATIVE_END_MALFORMED);
        return false;
    }
    for (int i = 0; i < 8; i++) {
        bytes = bytes << 8 | data[i];
    }
    if ((most != 0 && bytes > most) || bytes > SIZE_MAX / 4) {
        native_stream_fail(stream, NATIVE_END_TOO_LONG);
        return false;
    }
    *ret_bytes = bytes;
    return true;
}

/* Hands up one message, or takes the greeting. Returns: its bytes | 0: it is not whole, or the stream hands up no more */
static size_t hand_up_one(struct native_stream *stream, uint8_t *data, size_t bytes) {
    size_t head = head_bytes(stream);
    uint64_t body;
    if (stream->state == NATIVE_GREETING) {
        if (bytes < NATIVE_GREETING_BYTES) {
            return 0;
        }
        take_greeting(stream, data);
        return NATIVE_GREETING_BYTES;
    }
    if (bytes < head || !read_message_head(stream, data, &body) || bytes - head < body) {
        return 0;
    }
    if (!stream->options.ops->on_message(stream->options.user, data + head, (size_t)body)) {
        if (!stream->paused) {
            native_stream_pause(stream);
        }
        return 0;
    }
    return head + (size_t)body;
}

/* Hands up the messages that are whole. Returns: the bytes that are done with. */
static size_t hand_up(struct native_stream *stream, uint8_t *data, size_t bytes) {
    size_t at = 0;
    while (stream->state != NATIVE_CLOSING && !stream->paused) {
        size_t done = hand_up_one(stream, data + at, bytes - at);
        if (done == 0) {
            break;
        }
        at += done;
        stream->handed++;
    }
    return at;
}

/* ---- what is kept ---- */

/* Hands up what was kept, and frees what is not needed then. */
static void hand_up_kept(struct native_stream *stream) {
    struct herald_buffer *in = &stream->in;
    stream->in_at += hand_up(stream, in->bytes + stream->in_at, in->count - stream->in_at);
    if (stream->in_at == in->count) {
        stream->in_at = 0;
        native_loop_reset_buffer(stream->loop, in, KEPT_BYTES);
    }
}

/* Moves what is left to the front: `in` grows with that alone, and not with all that came. */
static void close_gap(struct native_stream *stream) {
    struct herald_buffer *in = &stream->in;
    if (stream->in_at > 0) {
        in->count -= stream->in_at;
        memmove(in->bytes, in->bytes + stream->in_at, in->count);
        stream->in_at = 0;
    }
}

static bool keep_bytes(struct native_stream *stream, const uint8_t *data, size_t bytes) {
    struct herald_buffer *in = &stream->in;
    if (bytes == 0) {
        return true;
    }
    close_gap(stream);
    if (!herald_buffer_reserve(in, in->count + bytes)) {
        native_stream_fail(stream, NATIVE_END_MEMORY);
        return false;
    }
    memcpy(in->bytes + in->count, data, bytes);
    in->count += bytes;
    return true;
}

/* Hands up what lies in the loop's memory and keeps the rest. Nothing was kept before. */
static void take_from_scratch(struct native_stream *stream, uint8_t *data, size_t bytes) {
    size_t done = hand_up(stream, data, bytes);
    if (stream->state != NATIVE_CLOSING) {
        (void)keep_bytes(stream, data + done, bytes - done);
    }
}

/* ---- reading ---- */

/* The bytes that the kept message lacks, as far as its head is known. */
static size_t lacking(struct native_stream *stream) {
    uint64_t body = 0;
    size_t kept = stream->in.count - stream->in_at;
    if (stream->state != NATIVE_OPEN || !read_message_head(stream, stream->in.bytes + stream->in_at, &body)) {
        return KEPT_BYTES;
    }
    size_t whole = head_bytes(stream) + (size_t)body;
    return whole > kept ? whole - kept : KEPT_BYTES;
}

/* Lets a long message be read to where it is kept: as much as it lacks, but not much more than has come of it. */
static bool read_to_kept(struct native_stream *stream, uv_buf_t *buffer) {
    struct herald_buffer *in = &stream->in;
    close_gap(stream);
    size_t room = lacking(stream);
    size_t most = in->count > GROWN_BYTES ? in->count : GROWN_BYTES;
    room = room < most ? room : most;
    if (!herald_buffer_reserve(in, in->count + room)) {
        return false;
    }
    *buffer = uv_buf_init((char *)in->bytes + in->count, (unsigned)room);
    return true;
}

static bool is_kept_long(const struct native_stream *stream) {
    return stream->options.secure_ops == NULL && stream->in.count - stream->in_at > KEPT_BYTES;
}

static void on_stream_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct native_stream *stream = (struct native_stream *)handle;
    uint8_t *scratch = stream->loop->scratch;
    size_t kept = 0;
    (void)suggested;
    if (is_kept_long(stream)) {
        if (!read_to_kept(stream, buffer)) {
            *buffer = uv_buf_init(NULL, 0); /* on_stream_read() gets UV_ENOBUFS */
        }
        return;
    }
    if (stream->options.secure_ops == NULL) {
        kept = stream->in.count - stream->in_at;
    }
    if (kept > 0) {
        memcpy(scratch, stream->in.bytes + stream->in_at, kept);
    }
    size_t room = herald_min_u64(stream->room, NATIVE_SCRATCH_BYTES - kept);
    *buffer = uv_buf_init((char *)scratch + kept, (unsigned)room);
}

/* Chooses the room of the next read by what this one held. */
static void choose_room(struct native_stream *stream, bool was_filled) {
    if (stream->handed > MANY_MESSAGES) {
        stream->room = ROOM_LEAST;
    } else if (was_filled && stream->handed <= FEW_MESSAGES) {
        stream->room = (uint32_t)herald_min_u64(stream->room * 2u, NATIVE_SCRATCH_BYTES);
    }
    stream->handed = 0;
}

/* Takes what the secure layer makes of what came. */
static void take_secured_bytes(struct native_stream *stream, const uint8_t *data, size_t bytes) {
    const struct native_secure_ops *ops = stream->options.secure_ops;
    long got = 0;
    bool good = ops->feed(stream->options.secure, data, bytes);
    while (good && stream->state != NATIVE_CLOSING) {
        got = ops->read(stream->options.secure, stream->loop->plain, NATIVE_SCRATCH_BYTES);
        if (got <= 0) {
            good = got == 0;
            break;
        }
        if (stream->in.count > stream->in_at) {
            if (keep_bytes(stream, stream->loop->plain, (size_t)got)) {
                hand_up_kept(stream);
            }
        } else {
            take_from_scratch(stream, stream->loop->plain, (size_t)got);
        }
    }
    native_loop_mark(stream->loop, stream); /* the layer may have to answer */
    if (!good) {
        native_stream_push(stream); /* it may say why */
        native_stream_fail(stream, NATIVE_END_INSECURE);
    }
}

static void on_stream_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer) {
    struct native_stream *stream = (struct native_stream *)handle;
    if (count == 0 || stream->state == NATIVE_CLOSING) {
        return;
    }
    if (count < 0) {
        native_stream_fail(stream, count == UV_ENOBUFS ? NATIVE_END_MEMORY : NATIVE_END_PEER);
        return;
    }
    stream->loop->read_us = clock_now_us();
    bool is_long = is_kept_long(stream), was_filled = (size_t)count == buffer->len;
    if (stream->options.secure_ops != NULL) {
        take_secured_bytes(stream, (const uint8_t *)buffer->base, (size_t)count);
    } else if (is_long) {
        stream->in.count += (size_t)count;
        hand_up_kept(stream);
    } else {
        size_t kept = stream->in.count - stream->in_at;
        stream->in_at = 0;
        native_loop_reset_buffer(stream->loop, &stream->in, KEPT_BYTES);
        take_from_scratch(stream, stream->loop->scratch, kept + (size_t)count);
    }
    if (!is_long) {
        choose_room(stream, was_filled);
    }
    if (was_filled && (!is_long || buffer->len > FLOOD_BYTES) && !stream->paused) {
        native_stream_pause(stream); /* libuv would read on at once */
        native_stream_resume(stream);
    }
}

void native_stream_pause(struct native_stream *stream) {
    if (stream->state != NATIVE_CLOSING && !stream->paused) {
        stream->paused = true;
        (void)uv_read_stop(&stream->uv.stream);
    }
    stream->resuming = false;
}

void native_stream_resume(struct native_stream *stream) {
    if (stream->paused && stream->state != NATIVE_CLOSING) {
        stream->resuming = true;
        native_loop_mark(stream->loop, stream);
    }
}

static void start_reading(struct native_stream *stream) {
    if (uv_read_start(&stream->uv.stream, on_stream_alloc, on_stream_read) != 0) {
        native_stream_fail(stream, NATIVE_END_PEER);
    }
}

static void read_on(struct native_stream *stream) {
    stream->paused = stream->resuming = false;
    if (stream->state == NATIVE_DIALLING) {
        return;
    }
    stream->loop->read_us = clock_now_us();
    hand_up_kept(stream);
    if (stream->state != NATIVE_CLOSING && !stream->paused) {
        start_reading(stream);
    }
}

void native_stream_end_turn(struct native_stream *stream) {
    if (stream->resuming) {
        read_on(stream);
    }
    native_stream_push(stream);
    native_stream_report(stream);
}

/* ---- making a stream ---- */

static struct native_stream *make_stream(struct native_loop *loop, const struct native_stream_options *options) {
    struct native_stream *stream = loop->is_closing ? NULL : calloc(1, sizeof(*stream));
    if (stream == NULL) {
        if (options->secure_ops != NULL) {
            options->secure_ops->free(options->secure);
        }
        return NULL;
    }
    stream->loop = loop;
    stream->options = *options;
    stream->state = NATIVE_DIALLING;
    stream->room = ROOM_LEAST;
    if (options->is_ipc) {
        (void)uv_pipe_init(loop_uv(loop->loop), &stream->uv.pipe, 0);
    } else {
        (void)uv_tcp_init(loop_uv(loop->loop), &stream->uv.tcp);
    }
    native_loop_enter(loop, stream);
    return stream;
}

/* The connection is there: greets. */
static void begin(struct native_stream *stream) {
    uint8_t greeting[NATIVE_GREETING_BYTES];
    stream->state = NATIVE_GREETING;
    if (!stream->options.is_ipc) {
        (void)uv_tcp_nodelay(&stream->uv.tcp, 1);
    }
    make_greeting(stream->options.protocol, greeting);
    if (native_stream_put(stream, greeting, sizeof(greeting)) && !stream->paused) {
        start_reading(stream);
    }
}

struct native_stream *native_stream_adopt(struct native_loop *loop, int fd,
                                          const struct native_stream_options *options) {
    native_loop_make_way(loop);
    struct native_stream *stream = make_stream(loop, options);
    if (stream == NULL) {
        (void)close(fd);
        return NULL;
    }
    int failure = options->is_ipc ? uv_pipe_open(&stream->uv.pipe, fd) : uv_tcp_open(&stream->uv.tcp, fd);
    if (failure != 0) {
        (void)close(fd);
        native_stream_fail(stream, NATIVE_END_PEER);
        return stream;
    }
    begin(stream);
    return stream;
}

static void on_connected(uv_connect_t *connect, int status) {
    struct native_stream *stream = connect->data;
    if (stream->state == NATIVE_CLOSING) {
        return;
    }
    if (status != 0) {
        native_stream_fail(stream, NATIVE_END_DIAL);
    } else {
        begin(stream);
    }
}

static void connect_to(struct native_stream *stream, const struct sockaddr *address) {
    stream->connect.data = stream;
    if (uv_tcp_connect(&stream->connect, &stream->uv.tcp, address, on_connected) != 0) {
        native_stream_fail(stream, NATIVE_END_DIAL);
    }
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found) {
    struct native_stream *stream = lookup->data;
    stream->is_looking_up = false;
    if (stream->state == NATIVE_CLOSING) {
        end_stream(stream);
    } else if (status != 0) {
        native_stream_fail(stream, NATIVE_END_DIAL);
    } else {
        connect_to(stream, found->ai_addr);
    }
    uv_freeaddrinfo(found);
}

/* Splits "host:port" in place; the host may be in brackets. False: it is none. */
static bool split_host_port(char *text, char **ret_host, char **ret_port) {
    char *colon = strrchr(text, ':');
    size_t bytes = colon != NULL ? (size_t)(colon - text) : 0;
    if (bytes == 0 || colon[1] == '\0') {
        return false;
    }
    *colon = '\0';
    *ret_port = colon + 1;
    if (text[0] == '[' && text[bytes - 1] == ']') {
        text[bytes - 1] = '\0';
        text++;
    }
    *ret_host = text;
    return true;
}

static void dial_tcp(struct native_stream *stream, const char *host_port) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct sockaddr_storage address;
    char *host, *port;
    stream->host_port = strdup(host_port);
    if (stream->host_port == NULL || !split_host_port(stream->host_port, &host, &port)) {
        native_stream_fail(stream, NATIVE_END_DIAL);
        return;
    }
    if (uv_ip4_addr(host, atoi(port), (struct sockaddr_in *)(void *)&address) == 0 ||
        uv_ip6_addr(host, atoi(port), (struct sockaddr_in6 *)(void *)&address) == 0) {
        connect_to(stream, (struct sockaddr *)&address);
        return;
    }
    stream->lookup.data = stream;
    if (uv_getaddrinfo(stream->uv.handle.loop, &stream->lookup, on_looked_up, host, port, &hints) != 0) {
        native_stream_fail(stream, NATIVE_END_DIAL);
    } else {
        stream->is_looking_up = true;
    }
}

static void dial_ipc(struct native_stream *stream, const char *path) {
    stream->connect.data = stream;
    uv_pipe_connect(&stream->connect, &stream->uv.pipe, path, on_connected); /* failures go to on_connected() */
}

struct native_stream *native_stream_dial(struct native_loop *loop, const char *url,
                                         const struct native_stream_options *options) {
    struct native_stream_options own = *options;
    own.is_ipc = strncmp(url, "ipc://", strlen("ipc://")) == 0;
    const char *address = strstr(url, "://");
    struct native_stream *stream = make_stream(loop, &own);
    if (stream == NULL) {
        return NULL;
    }
    if (address == NULL) {
        native_stream_fail(stream, NATIVE_END_DIAL);
    } else if (own.is_ipc) {
        dial_ipc(stream, address + strlen("://"));
    } else {
        dial_tcp(stream, address + strlen("://"));
    }
    return stream;
}
