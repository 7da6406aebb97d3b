#ifndef HERALD_NATIVE_STREAM_H
#define HERALD_NATIVE_STREAM_H

/*
 * A stream: one connection of SP (nng's wire) over TCP or a Unix socket, spoken by a loop itself on libuv. It greets,
 * cuts what is received into messages, and sends messages. What a message means is its owner's business: the words in
 * front of a body, which REQ and REP use, are part of it here.
 *
 * Threads: all functions of a stream, and all callbacks, on the thread of its loop. There is no other thread.
 *
 * Receiving: one read takes what the kernel has, up to 256 KiB; 8 KiB where that is many messages. Messages are handed up
 * where they lie in that buffer.
 * Sending: messages of one turn of the loop leave together when the turn ends, or sixteen at a time if they are more. A
 * stream does not bound what it keeps for a peer that does not read: its owner looks at native_stream_unsent(), and
 * pauses reading or closes.
 *
 * The process must ignore SIGPIPE: libuv writes with write().
 */
#include "server/runtime/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct native_loop;
struct native_stream;

/** Number of a protocol of SP, as greetings tell it. */
enum native_protocol { NATIVE_REQ = 0x30, NATIVE_REP = 0x31 };

/** Why a stream ended. */
enum native_end {
    NATIVE_END_OURS,      /* native_stream_close(), native_loop_close() */
    NATIVE_END_PEER,      /* it closed, or the network failed */
    NATIVE_END_DIAL,      /* nothing answers at the address, or the name is not known */
    NATIVE_END_GREETING,  /* its greeting is not SP's, or not of the protocol that belongs to ours */
    NATIVE_END_SLOW,      /* no connection, or no greeting, in time */
    NATIVE_END_MALFORMED, /* what it sent is no message */
    NATIVE_END_TOO_LONG,  /* it announced a message beyond max_message_bytes */
    NATIVE_END_INSECURE,  /* the secure layer refused the peer, or what it sent */
    NATIVE_END_MEMORY,    /* no memory */
};
/** In English, for logs; static. */
const char *native_end_text(enum native_end why);

struct native_part {
    const void *data;
    size_t bytes;
};

struct native_stream_ops {
    /** The greetings were exchanged: messages may be sent and come. Once at most. */
    void (*on_open)(void *user);
    /**
     * A message. It lies in the stream's memory and may be changed there.
     *
     * @data    valid during this call only
     * Returns: true | false: not now. Reading pauses; after native_stream_resume() the same message is handed up again
     */
    bool (*on_message)(void *user, uint8_t *data, size_t bytes);
    /** The kernel has taken all messages up to @position, which native_stream_send() returned for the last of them. */
    void (*on_sent)(void *user, uint64_t position);
    /** The stream has ended and is freed after this. Exactly once for each stream, never inside another function of it;
     *  no other callback follows native_stream_close(). What was not sent is dropped. */
    void (*on_end)(void *user, enum native_end why);
};

/**
 * A layer between messages and the connection, such as TLS: a pair of pipes without a socket. All on the stream's
 * thread. A function that fails ends the stream with NATIVE_END_INSECURE.
 */
struct native_secure_ops {
    /** Takes @bytes that the peer sent. False: failed. */
    bool (*feed)(void *secure, const uint8_t *data, size_t bytes);
    /** Gives what the peer's bytes mean. Returns: how many, at most @room | 0: no more now | −1: failed */
    long (*read)(void *secure, uint8_t *ret_data, size_t room);
    /** Takes @bytes that are to be sent; before the handshake is done it keeps them. False: failed. */
    bool (*write)(void *secure, const uint8_t *data, size_t bytes);
    /** Gives bytes for the peer, those of the handshake too. Returns: how many, at most @room | 0: no more now */
    size_t (*take)(void *secure, uint8_t *ret_data, size_t room);
    /** The connection ends in order: take() may give bytes that tell the peer so. NULL: there are none */
    void (*end)(void *secure);
    /** Frees it, with the stream. */
    void (*free)(void *secure);
};

struct native_stream_options {
    enum native_protocol protocol;              /* ours */
    bool is_ipc;                                /* nng's framing of Unix sockets: a byte before each message */
    uint64_t max_message_bytes;                 /* with the words in front of a body; 0: no limit */
    uint32_t greeting_ms;                       /* longest time until it is open, and so of a dial */
    const struct native_stream_ops *ops;        /* outlives the stream */
    void *user;                                 /* of ops */
    const struct native_secure_ops *secure_ops; /* NULL: none */
    void *secure;                               /* of secure_ops; taken, also when the stream cannot be made */
};

/* ---- what the streams of a loop share ---- */

/** Makes it. Before the loop runs, or on its thread. NULL: no memory. */
struct native_loop *native_loop_new(struct loop *loop);
/** Ends all its streams, of which what the kernel takes at once is still sent, and frees it, once they have ended. On the loop's thread, or before the loop runs; NULL is
 *  allowed. */
void native_loop_close(struct native_loop *loop);

/** Does now what streams leave for the end of the turn: messages go to the kernel. On the loop's thread, in no callback of a
 *  stream. */
void native_loop_end_turn(struct native_loop *loop);

/** When the bytes of the messages that are handed up now were read, on clock_now_us(). On the loop's thread, in
 *  on_message(). */
uint64_t native_loop_read_us(const struct native_loop *loop);

/* ---- making a stream ---- */

/**
 * Makes a stream of a connected socket that was accepted. Beyond 1,024 streams of the loop that have not greeted, the
 * oldest of these ends.
 *
 * @fd       of TCP, or with is_ipc of a Unix socket; taken, also when there is no stream
 * Returns:  the stream; NULL: no memory
 */
struct native_stream *native_stream_adopt(struct native_loop *loop, int fd,
                                          const struct native_stream_options *options);
/**
 * Makes a stream that connects. It ends with NATIVE_END_DIAL if it cannot, and does not try again.
 *
 * @url      "tcp://host:port", "tls+tcp://host:port" (with secure_ops) or "ipc:///path". A host that is a name is looked up
 *           on libuv's threads
 * Returns:  the stream; NULL: no memory, or no such URL
 */
struct native_stream *native_stream_dial(struct native_loop *loop, const char *url,
                                         const struct native_stream_options *options);

/* ---- using it ---- */

/**
 * Sends a message made of @count parts (5 at most), in order; they are copied, or sent at once.
 *
 * Returns: the position after this message: greater than 0, and than all before | 0: the stream is not open yet, or has
 *          ended
 */
uint64_t native_stream_send(struct native_stream *stream, const struct native_part *parts, size_t count);
/** Bytes of messages that the kernel has not taken yet. */
size_t native_stream_unsent(const struct native_stream *stream);
/** Bytes that the peer's side has taken so far, whether the peer has read them or not. They grow as long as it reads
 *  something, also while the kernel takes nothing more. */
uint64_t native_stream_taken(const struct native_stream *stream);
/** Reads no more for now, and hands no message up. A peer that leaves is then noticed when something is sent. */
void native_stream_pause(struct native_stream *stream);
/** Reads on, when the turn ends. */
void native_stream_resume(struct native_stream *stream);
/** Ends it: on_end() with NATIVE_END_OURS follows. Repeating it does nothing. */
void native_stream_close(struct native_stream *stream);

#endif
