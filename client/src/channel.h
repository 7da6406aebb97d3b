#ifndef HERALD_CLIENT_CHANNEL_H
#define HERALD_CLIENT_CHANNEL_H

#include "herald/client.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One channel is one REQ socket with one dialer, so that nng never chooses between servers; each call in flight has a
 * context of its own on it. Calls are pooled with their context and aio.
 *
 * A call passes SENDING → WAITING → ENDED, one aio after the other: the receive is posted only when the send has
 * completed (posting it earlier crashes nng 1.5 when it times out), and at once then (a reply that nobody waits for is
 * lost when its pipe closes).
 */

enum call_phase { CALL_SENDING, CALL_WAITING, CALL_ENDED };

struct herald_call {
    struct herald_channel *channel;
    struct herald_call *next_free;
    nng_ctx context;
    nng_aio *aio;
    const struct herald_method_schema *method;
    int64_t deadline_ms; /* monotonic */
    uint32_t timeout_ms;
    bool blocking; /* its aio has no callback: the caller's thread waits for it */

    herald_call_done_fn *done; /* NULL for a blocking call */
    void *user;
    struct herald_reply *reply;    /* where the end goes: own_reply, or the blocking caller's */
    struct herald_reply own_reply; /* its error's details are not initialised */

    pthread_mutex_t mutex; /* guards the rest */
    enum call_phase phase;
    bool cancelled;
    bool held;     /* the caller has the handle */
    bool returned; /* the callback has run */
};

struct herald_channel {
    nng_socket socket;
    char *url;
    uint32_t connect_timeout_ms;
    uint32_t max_message_bytes;
    uint32_t max_in_flight;
    atomic_int pipe_count;      /* connections that exist: 0 or 1 */
    atomic_bool closing;        /* no new calls, and what ends now was cancelled */
    atomic_llong unanswered_ms; /* when a call last ended without the reply that may yet come; 0: never */

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t idle;   /* in_flight became 0 */
    bool closed;           /* nothing runs any more: the last share given back frees the channel */
    uint32_t in_flight;    /* calls that have not ended, or whose callback has not returned */
    uint32_t taken; /* shares: calls out of the pool, in flight or with their handle held, and the open channel */
    struct herald_call *free_calls[2]; /* by struct herald_call's blocking */
};

/** Monotonic time, milliseconds. */
int64_t herald_now_ms(void);

/**
 * Takes a call from the pool, or makes one.
 *
 * Returns:  HERALD_OK | HERALD_CANCELLED (closing) | HERALD_RESOURCE_EXHAUSTED (too many in flight, no memory)
 */
enum herald_code herald_channel_take_call(struct herald_channel *channel, bool blocking, struct herald_call **ret_call,
                                          struct herald_error *reterr);
/**
 * Says that a call is no longer in flight: it has ended and its callback has returned.
 *
 * @call  given back to the pool with it; NULL if its handle is still held, which gives it back later
 */
void herald_channel_end_call(struct herald_channel *channel, struct herald_call *call);
/** Gives an ended call back whose handle was held till now. The last one frees a closed channel. */
void herald_channel_return_call(struct herald_channel *channel, struct herald_call *call);

/**
 * Packs a call's envelope into a message.
 *
 * @call_id  the id to send, 36 characters
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (a request that cannot be packed) | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code herald_request_pack(const struct herald_channel *channel, const struct herald_method_schema *method,
                                     const ProtobufCMessage *request, const struct herald_call_options *options,
                                     const char *call_id, uint32_t timeout_ms, nng_msg **ret_msg,
                                     struct herald_error *reterr);

/** Reads a response's envelope and payload into @reply, which takes @msg. Sets outcome, error and message. */
void herald_reply_read(struct herald_reply *reply, const struct herald_method_schema *method, nng_msg *msg);
/** Prepares a reply for being filled, without touching the many bytes of its details. */
void herald_reply_init(struct herald_reply *reply);

/** The aio's callback. @user  the call */
void herald_call_on_aio(void *user);

#endif
