#ifndef HERALD_NATIVE_STREAM_PRIVATE_H
#define HERALD_NATIVE_STREAM_PRIVATE_H

/* Shared by native_loop.c (what streams share), stream.c (life and receiving) and stream_write.c (sending). */
#include "client/base/buffer.h"
#include "server/native/stream.h"

#include <uv.h>

#define NATIVE_SCRATCH_BYTES  (256u * 1024u)
#define NATIVE_GREETING_BYTES 8u
/* A message's length, and with nng's framing of Unix sockets a byte before it. */
#define NATIVE_HEAD_MAX 9u
/* Buffers for sending that a loop keeps, each up to that size. */
#define NATIVE_SPARE_MAX   64u
#define NATIVE_SPARE_BYTES (64u * 1024u)
/* A buffer of that size is worth giving back to the kernel when it was freed. */
#define NATIVE_LARGE_BYTES (16u * 1024u)

/* Accepted streams of a loop that have not greeted; a further one ends the oldest. */
#define NATIVE_YOUNG_MAX 1024u

enum native_state { NATIVE_DIALLING, NATIVE_GREETING, NATIVE_OPEN, NATIVE_CLOSING };

struct native_stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv; /* first */
    struct native_loop *loop;
    struct native_stream_options options;
    enum native_state state;
    enum native_end why;
    bool paused;
    bool resuming;
    bool is_dirty;
    bool is_looking_up;                            /* a name; the stream is not freed before */
    bool is_closed;                                /* its handle */
    struct native_stream *prev, *next;             /* in streams of the loop */
    struct native_stream *young_prev, *young_next; /* in young: until it is open */
    struct native_stream *dirty_prev, *dirty_next; /* in dirty: something to do when the turn ends */
    uint64_t since_ms;
    char *host_port; /* of a dial by name */
    uv_connect_t connect;
    uv_getaddrinfo_t lookup;
    /* What was received and not handed up. */
    struct herald_buffer in;
    size_t in_at;
    uint32_t room;   /* of the next read, bytes */
    uint32_t handed; /* messages that the present one held */
    /* What is to be sent: first `flight`, which does not change, then `out`. */
    struct herald_buffer flight, out;
    unsigned gathered;     /* messages in out */
    size_t flight_at;      /* of flight, what the kernel has taken */
    size_t flight_payload; /* with a secure layer: the bytes of messages that flight stands for */
    size_t chunk;          /* of flight, what `write` is writing */
    bool writing;
    uv_write_t write;
    uint64_t queued, reported; /* positions: of the last message, and told by on_sent() */
    uint64_t given;            /* bytes that the kernel has taken, but for those of `write` */
};

struct native_loop {
    struct loop_turn turn; /* first */
    struct loop *loop;
    uv_timer_t tick; /* active while there are young streams */
    struct native_stream *streams, *young, *dirty;
    unsigned young_count;
    uint64_t read_us;
    struct herald_buffer spare[NATIVE_SPARE_MAX];
    unsigned spare_count;
    bool is_closing, tick_is_closed;
    uint8_t scratch[NATIVE_SCRATCH_BYTES];
    uint8_t plain[NATIVE_SCRATCH_BYTES]; /* what a secure layer makes of scratch */
};

/* native_loop.c */
/** Enters a new stream, which is young. */
void native_loop_enter(struct native_loop *loop, struct native_stream *stream);
/** Ends the oldest of too many young streams, before one is accepted. */
void native_loop_make_way(struct native_loop *loop);
/** The stream is not young any more. */
void native_loop_grown(struct native_loop *loop, struct native_stream *stream);
/** Takes a stream out that is freed then. May free the loop. */
void native_loop_leave(struct native_loop *loop, struct native_stream *stream);
/** The stream has something to do when the turn ends. */
void native_loop_mark(struct native_loop *loop, struct native_stream *stream);
void native_loop_unmark(struct native_loop *loop, struct native_stream *stream);
/** Gives a kept buffer, or an empty one. */
struct herald_buffer native_loop_take_buffer(struct native_loop *loop);
/** Keeps a buffer, or frees it; it is empty then. */
void native_loop_keep_buffer(struct native_loop *loop, struct herald_buffer *buffer);
/** Empties a buffer, and frees it if it is larger than @kept. */
void native_loop_reset_buffer(struct native_loop *loop, struct herald_buffer *buffer, size_t kept);

/* stream.c */
/** Ends the stream. Repeating it does nothing. */
void native_stream_fail(struct native_stream *stream, enum native_end why);
/** What the stream has to do when a turn ends. */
void native_stream_end_turn(struct native_stream *stream);

/* stream_write.c */
/** Queues bytes as they are. False: no memory; the stream has ended. */
bool native_stream_put(struct native_stream *stream, const void *data, size_t bytes);
/** Writes what the kernel takes now, and posts the rest. */
void native_stream_push(struct native_stream *stream);
/** Lets the secure layer tell the peer that the stream ends; if the kernel takes no more, nothing is told. */
void native_stream_say_end(struct native_stream *stream);
/** Tells how far the kernel has come. */
void native_stream_report(struct native_stream *stream);
/** Frees the buffers. */
void native_stream_drop_unsent(struct native_stream *stream);

#endif
