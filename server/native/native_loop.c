/* What the streams of a loop share: memory to read into, buffers to send from, the end of a turn and the clock. */
#include "server/native/stream_private.h"

#include <stdlib.h>
#include <utlist.h>

/* How often young streams are looked at. */
#define TICK_MS 250u

/* ---- the end of a turn ---- */

void native_loop_end_turn(struct native_loop *loop) {
    struct native_stream *stream;
    unsigned count;
    DL_COUNT2(loop->dirty, stream, count, dirty_next);
    for (; count > 0 && (stream = loop->dirty) != NULL; count--) { /* those that are marked again meanwhile come last */
        native_loop_unmark(loop, stream);
        native_stream_end_turn(stream);
    }
}

static void on_turn_end(struct loop_turn *turn) {
    native_loop_end_turn((struct native_loop *)turn); /* its first member */
}

void native_loop_mark(struct native_loop *loop, struct native_stream *stream) {
    if (stream->is_dirty || stream->state == NATIVE_CLOSING) {
        return;
    }
    stream->is_dirty = true;
    DL_APPEND2(loop->dirty, stream, dirty_prev, dirty_next);
    loop_at_turn_end(loop->loop, &loop->turn);
}

void native_loop_unmark(struct native_loop *loop, struct native_stream *stream) {
    if (stream->is_dirty) {
        stream->is_dirty = false;
        DL_DELETE2(loop->dirty, stream, dirty_prev, dirty_next);
    }
}

/* ---- buffers ---- */

struct herald_buffer native_loop_take_buffer(struct native_loop *loop) {
    return loop->spare_count > 0 ? loop->spare[--loop->spare_count] : (struct herald_buffer){.bytes = NULL};
}

void native_loop_keep_buffer(struct native_loop *loop, struct herald_buffer *buffer) {
    if (loop->spare_count < NATIVE_SPARE_MAX && buffer->capacity > 0 && buffer->capacity <= NATIVE_SPARE_BYTES) {
        buffer->count = 0;
        loop->spare[loop->spare_count++] = *buffer;
        *buffer = (struct herald_buffer){.bytes = NULL};
    } else {
        native_loop_reset_buffer(loop, buffer, 0);
    }
}

void native_loop_reset_buffer(struct native_loop *loop, struct herald_buffer *buffer, size_t kept) {
    if (buffer->capacity >= NATIVE_LARGE_BYTES && buffer->capacity > kept) {
        loop_note_freed(loop->loop);
    }
    herald_buffer_reset(buffer, kept);
}

uint64_t native_loop_read_us(const struct native_loop *loop) {
    return loop->read_us;
}

/* ---- life ---- */

static void free_when_empty(struct native_loop *loop) {
    if (!loop->is_closing || !loop->tick_is_closed || loop->streams != NULL) {
        return;
    }
    loop_turn_cancel(loop->loop, &loop->turn);
    while (loop->spare_count > 0) {
        herald_buffer_reset(&loop->spare[--loop->spare_count], 0);
    }
    free(loop);
}

static void on_young_tick(uv_timer_t *tick) {
    struct native_loop *loop = tick->data;
    struct native_stream *stream, *next;
    uint64_t now_ms = uv_now(tick->loop);
    DL_FOREACH_SAFE2 (loop->young, stream, next, young_next) {
        if (now_ms - stream->since_ms >= stream->options.greeting_ms) {
            native_stream_fail(stream, NATIVE_END_SLOW);
        }
    }
}

void native_loop_enter(struct native_loop *loop, struct native_stream *stream) {
    stream->since_ms = uv_now(loop_uv(loop->loop));
    DL_APPEND(loop->streams, stream);
    if (loop->young == NULL) {
        (void)uv_timer_start(&loop->tick, on_young_tick, TICK_MS, TICK_MS);
    }
    DL_APPEND2(loop->young, stream, young_prev, young_next);
    loop->young_count++;
}

void native_loop_make_way(struct native_loop *loop) {
    if (loop->young_count >= NATIVE_YOUNG_MAX) {
        native_stream_fail(loop->young, NATIVE_END_SLOW); /* the oldest */
    }
}

void native_loop_grown(struct native_loop *loop, struct native_stream *stream) {
    DL_DELETE2(loop->young, stream, young_prev, young_next);
    loop->young_count--;
    if (loop->young == NULL) {
        (void)uv_timer_stop(&loop->tick);
    }
}

void native_loop_leave(struct native_loop *loop, struct native_stream *stream) {
    DL_DELETE(loop->streams, stream);
    free_when_empty(loop);
}

struct native_loop *native_loop_new(struct loop *loop) {
    struct native_loop *fresh = malloc(sizeof(*fresh)); /* scratch needs no zeros, and no pages until it is used */
    if (fresh == NULL) {
        return NULL;
    }
    fresh->turn = (struct loop_turn){.run = on_turn_end};
    fresh->loop = loop;
    fresh->streams = fresh->young = fresh->dirty = NULL;
    fresh->read_us = 0;
    fresh->spare_count = fresh->young_count = 0;
    fresh->is_closing = fresh->tick_is_closed = false;
    (void)uv_timer_init(loop_uv(loop), &fresh->tick);
    fresh->tick.data = fresh;
    return fresh;
}

static void on_tick_closed(uv_handle_t *handle) {
    struct native_loop *loop = handle->data;
    loop->tick_is_closed = true;
    free_when_empty(loop);
}

void native_loop_close(struct native_loop *loop) {
    struct native_stream *stream;
    if (loop == NULL || loop->is_closing) {
        return;
    }
    loop->is_closing = true;
    DL_FOREACH (loop->streams, stream) {
        native_stream_push(stream);
        native_stream_close(stream);
    }
    uv_close((uv_handle_t *)&loop->tick, on_tick_closed);
}
