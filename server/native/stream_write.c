/*
 * Sending. Messages are copied one after the other into `out`. When the turn ends, or some have gathered, `out` becomes
 * `flight`, and the kernel gets it with one write. What the kernel does not take is posted in chunks, so that progress is
 * seen, and messages that come meanwhile gather in `out` again.
 *
 * A long message goes to the kernel at once, from where it lies, if nothing is in front of it.
 */
#include "client/base/minimum.h"
#include "server/native/stream_private.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

/* With so many messages gathered the peer has enough to begin with. If all waited for the end of the turn, the two sides
 * would work in turns, too. */
#define GATHERED_ENOUGH 16u
/* From this size on a message is not copied first. */
#define LONG_BYTES (32u * 1024u)
/* Parts of a message that is not copied. */
#define LONG_PARTS 6u
/* What one posted write writes. */
#define CHUNK_BYTES (128u * 1024u)
/* A secure layer's bytes are taken in such pieces. */
#define TAKE_BYTES (32u * 1024u)

/* ---- the position ---- */

size_t native_stream_unsent(const struct native_stream *stream) {
    size_t rest = stream->flight.count - stream->flight_at;
    if (stream->options.secure_ops != NULL && rest > 0) {
        rest = stream->flight_payload;
    }
    return rest + stream->out.count;
}

uint64_t native_stream_taken(const struct native_stream *stream) {
    size_t written = stream->writing ? stream->chunk - uv_stream_get_write_queue_size(&stream->uv.stream) : 0;
    uint64_t given = stream->given + written;
    int fd, waiting = 0; /* in the kernel, for the peer's side to take them */
    if (stream->state == NATIVE_CLOSING || uv_fileno(&stream->uv.handle, &fd) != 0 ||
        ioctl(fd, SIOCOUTQ, &waiting) != 0) {
        return given;
    }
    return given - herald_min_u64((uint64_t)waiting, given);
}

void native_stream_report(struct native_stream *stream) {
    uint64_t position = stream->queued - native_stream_unsent(stream);
    if (stream->state == NATIVE_OPEN && position > stream->reported) {
        stream->reported = position;
        if (stream->options.ops->on_sent != NULL) {
            stream->options.ops->on_sent(stream->options.user, position);
        }
    }
}

/* ---- to the kernel ---- */

static bool is_in_flight(const struct native_stream *stream) {
    return stream->flight_at < stream->flight.count;
}

/* Lets the secure layer make the bytes that go out. */
static bool take_secured(struct native_stream *stream) {
    const struct native_secure_ops *ops = stream->options.secure_ops;
    struct herald_buffer *flight = &stream->flight;
    if (stream->out.count > 0 && !ops->write(stream->options.secure, stream->out.bytes, stream->out.count)) {
        native_stream_fail(stream, NATIVE_END_INSECURE);
        return false;
    }
    for (;;) {
        if (!herald_buffer_reserve(flight, flight->count + TAKE_BYTES)) {
            native_stream_fail(stream, NATIVE_END_MEMORY);
            return false;
        }
        size_t bytes =
            ops->take(stream->options.secure, flight->bytes + flight->count, flight->capacity - flight->count);
        if (bytes == 0) {
            break;
        }
        flight->count += bytes;
    }
    stream->flight_payload = stream->out.count;
    stream->out.count = 0;
    return true;
}

/* Puts what was gathered into flight. False: there is nothing, or the stream has ended. */
static bool load_flight(struct native_stream *stream) {
    stream->flight_at = stream->flight.count = 0;
    stream->gathered = 0;
    if (stream->options.secure_ops != NULL) {
        return take_secured(stream) && is_in_flight(stream);
    }
    struct herald_buffer empty = stream->flight;
    stream->flight = stream->out;
    stream->out = empty;
    return is_in_flight(stream);
}

/* Gives the kernel what it takes of flight now. False: the stream has ended. */
static bool try_flight(struct native_stream *stream) {
    uv_buf_t buffer = uv_buf_init((char *)stream->flight.bytes + stream->flight_at,
                                  (unsigned)(stream->flight.count - stream->flight_at));
    int taken = uv_try_write(&stream->uv.stream, &buffer, 1);
    if (taken < 0 && taken != UV_EAGAIN) {
        native_stream_fail(stream, NATIVE_END_PEER);
        return false;
    }
    size_t count = taken > 0 ? (size_t)taken : 0;
    stream->flight_at += count;
    stream->given += count;
    return true;
}

static void on_written(uv_write_t *write, int status) {
    struct native_stream *stream = write->data;
    stream->writing = false;
    if (stream->state == NATIVE_CLOSING) {
        return;
    }
    if (status != 0) {
        native_stream_fail(stream, NATIVE_END_PEER);
        return;
    }
    stream->flight_at += stream->chunk;
    stream->given += stream->chunk;
    native_stream_push(stream);
    native_stream_report(stream);
}

static void post_flight(struct native_stream *stream) {
    size_t rest = stream->flight.count - stream->flight_at;
    stream->chunk = rest < CHUNK_BYTES ? rest : CHUNK_BYTES;
    uv_buf_t buffer = uv_buf_init((char *)stream->flight.bytes + stream->flight_at, (unsigned)stream->chunk);
    stream->write.data = stream;
    if (uv_write(&stream->write, &stream->uv.stream, &buffer, 1, on_written) != 0) {
        native_stream_fail(stream, NATIVE_END_PEER);
        return;
    }
    stream->writing = true;
}

void native_stream_push(struct native_stream *stream) {
    if (stream->writing || stream->state == NATIVE_DIALLING || stream->state == NATIVE_CLOSING) {
        return;
    }
    while (is_in_flight(stream) || load_flight(stream)) {
        if (!try_flight(stream)) {
            return;
        }
        if (is_in_flight(stream)) {
            post_flight(stream);
            return;
        }
    }
    if (stream->state == NATIVE_CLOSING) {
        return;
    }
    stream->flight_at = stream->flight.count = 0;
    native_loop_keep_buffer(stream->loop, &stream->flight);
    native_loop_keep_buffer(stream->loop, &stream->out);
}

void native_stream_say_end(struct native_stream *stream) {
    const struct native_secure_ops *ops = stream->options.secure_ops;
    uint8_t bytes[256]; /* an alert of TLS has 31 at most */
    if (ops == NULL || ops->end == NULL || stream->state == NATIVE_DIALLING || is_in_flight(stream)) {
        return;
    }
    ops->end(stream->options.secure);
    size_t count = ops->take(stream->options.secure, bytes, sizeof(bytes));
    if (count > 0) {
        uv_buf_t buffer = uv_buf_init((char *)bytes, (unsigned)count);
        (void)uv_try_write(&stream->uv.stream, &buffer, 1);
    }
}

/* ---- messages ---- */

/* Makes room in `out`, or ends the stream. */
static bool reserve_out(struct native_stream *stream, size_t bytes) {
    struct herald_buffer *out = &stream->out;
    if (out->capacity == 0) {
        *out = native_loop_take_buffer(stream->loop);
    }
    if (!herald_buffer_reserve(out, out->count + bytes)) {
        native_stream_fail(stream, NATIVE_END_MEMORY);
        return false;
    }
    return true;
}

static void append_message(struct herald_buffer *out, const void *data, size_t bytes) {
    if (bytes > 0) {
        memcpy(out->bytes + out->count, data, bytes);
        out->count += bytes;
    }
}

bool native_stream_put(struct native_stream *stream, const void *data, size_t bytes) {
    if (!reserve_out(stream, bytes)) {
        return false;
    }
    append_message(&stream->out, data, bytes);
    stream->queued += bytes;
    native_loop_mark(stream->loop, stream);
    return true;
}

static size_t make_head(bool is_ipc, uint64_t bytes, uint8_t ret_head[NATIVE_HEAD_MAX]) {
    size_t used = 0;
    if (is_ipc) {
        ret_head[used++] = 1; /* a message in line */
    }
    for (int shift = 56; shift >= 0; shift -= 8) {
        ret_head[used++] = (uint8_t)(bytes >> shift);
    }
    return used;
}

/* Gives the kernel a long message from where it lies. Returns: what it has taken. */
static size_t try_long(struct native_stream *stream, const struct native_part *parts, size_t part_count) {
    uv_buf_t buffers[LONG_PARTS];
    size_t used = 0;
    native_stream_push(stream);
    if (stream->state != NATIVE_OPEN || stream->writing) {
        return 0;
    }
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].bytes > 0) {
            buffers[used++] = uv_buf_init((char *)(uintptr_t)parts[i].data, (unsigned)parts[i].bytes);
        }
    }
    int taken = uv_try_write(&stream->uv.stream, buffers, (unsigned)used);
    if (taken < 0 && taken != UV_EAGAIN) {
        native_stream_fail(stream, NATIVE_END_PEER);
    }
    size_t count = taken > 0 ? (size_t)taken : 0;
    stream->given += count;
    return count;
}

static bool queue_parts(struct native_stream *stream, const struct native_part *parts, size_t count, size_t bytes,
                        size_t skip) {
    if (bytes > skip && !reserve_out(stream, bytes - skip)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t cut = skip < parts[i].bytes ? skip : parts[i].bytes;
        if (cut < parts[i].bytes) {
            append_message(&stream->out, (const uint8_t *)parts[i].data + cut, parts[i].bytes - cut);
        }
        skip -= cut;
    }
    return true;
}

uint64_t native_stream_send(struct native_stream *stream, const struct native_part *parts, size_t count) {
    uint8_t head[NATIVE_HEAD_MAX];
    struct native_part all[LONG_PARTS];
    uint64_t bytes = 0;
    if (stream->state != NATIVE_OPEN || count >= LONG_PARTS) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].bytes;
        all[i + 1] = parts[i];
    }
    all[0] = (struct native_part){head, make_head(stream->options.is_ipc, bytes, head)};
    bytes += all[0].bytes;
    bool is_long = bytes >= LONG_BYTES && stream->options.secure_ops == NULL;
    size_t taken = is_long ? try_long(stream, all, count + 1) : 0;
    if (stream->state == NATIVE_CLOSING || !queue_parts(stream, all, count + 1, bytes, taken)) {
        return 0;
    }
    stream->queued += bytes;
    native_loop_mark(stream->loop, stream);
    if (++stream->gathered >= GATHERED_ENOUGH) {
        native_stream_push(stream);
    }
    return stream->state == NATIVE_CLOSING ? 0 : stream->queued;
}

void native_stream_drop_unsent(struct native_stream *stream) {
    native_loop_keep_buffer(stream->loop, &stream->flight);
    native_loop_keep_buffer(stream->loop, &stream->out);
}
