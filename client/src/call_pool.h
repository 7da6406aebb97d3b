#ifndef HERALD_CLIENT_CALL_POOL_H
#define HERALD_CLIENT_CALL_POOL_H

#include "client/src/call_state.h"
#include "client/src/endpoint.h"
#include "client/src/request.h"
#include "client/src/resolve.h"
#include "client/src/retry.h"
#include "herald/client.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A channel is a set of endpoints and a pool of calls. Where the set is more than one fixed endpoint it has a keeper too: a
 * thread that looks names up, asks for health and reads TLS files again (keeper.c).
 *
 * Locks: a call's mutex, then its channel's. Callbacks of connections take none. Nothing of nng that can wait for a
 * callback is called with a lock held.
 */

/* Whose thread takes a call's completions: nng's, or the caller's, which spares the call a change of threads. */
enum call_kind { CALL_STARTED, CALL_BLOCKING, CALL_KINDS };

struct herald_call {
    /* Constant. */
    struct herald_channel *channel;
    enum call_kind kind;

    /* Of the pool: guarded by the channel's mutex. */
    struct herald_call *next_free;
    int64_t rested_ms;                               /* in resting: until when */
    struct herald_call *pause_next, *pause_previous; /* in pausing */
    struct herald_call *out_next, *out_previous;     /* in out */

    /* Of the thread that drives the call: see enum call_state. */
    enum call_state state;
    /* Two, because nng 1.5's thread for time-outs can be late: it then ends whatever operation its aio has by that time.
     * After a send that was taken at the last moment, that would be the wait for the reply. */
    nng_aio *sender, *receiver;
    /* For pauses, made for the first one. Its own, because nng 1.5 takes the time-out of an aio's next operation after a
     * sleep for a success. */
    nng_aio *timer;
    const struct herald_method_schema *method;
    struct herald_request request;
    herald_call_done_fn *done; /* NULL for a blocking call */
    void *user;
    struct herald_reply *reply;    /* where the end goes: own_reply, or the blocking caller's */
    struct herald_reply own_reply; /* its error's details are not initialised */
    uint32_t timeout_ms;
    int64_t started_ms; /* monotonic, as are all times here */
    int64_t deadline_ms;
    uint64_t started_us;            /* set if there are interceptors */
    struct herald_endpoint *pinned; /* the channel's own call, at this endpoint only; NULL: a caller's */

    /* Of the attempt. */
    struct herald_endpoint *endpoint; /* where it is made, with a context of it; NULL: none now */
    nng_ctx context;
    const struct herald_endpoint *avoid; /* where it is made only if there is no other; NULL: none */
    uint32_t connection;                 /* of its endpoint: by which it was sent */
    int64_t connect_until_ms;            /* it waits for a connection till then */
    struct herald_attempt attempt;       /* what its message says; ticket 0: the call has made no message yet */
    const ProtobufCMessage *given;       /* the caller's message, until something is posted; then NULL */
    size_t interceptors_run;
    struct herald_buffer metadata; /* that interceptors added */
    struct herald_attempt_end end; /* zeroed until it has ended */

    /* Of the attempts before. */
    enum herald_outcome before;    /* what they may have done: herald_retry_carried() */
    enum herald_code earlier_code; /* what the last of them was answered; OK: nothing */
    char earlier_reason[64];
    uint32_t uncounted;       /* the facts of the same names: struct herald_retry_facts */
    int64_t restart_until_ms; /* … */
    int64_t held_until_ms;    /* … */

    pthread_mutex_t mutex; /* guards the rest */
    nng_aio *posted;       /* where an operation is posted; NULL: none is */
    enum call_stop stop;
    uint32_t shares; /* of a started call: the callback that has not returned, and the handle that is held */
};

/**
 * Starts a call of the channel's own at an endpoint: no retries, no interceptors, the channel's credential. It does not
 * count towards max_in_flight.
 *
 * @done  as in herald_call_start()
 * Returns:  HERALD_OK: @done will be called | an error: it will not
 */
typedef enum herald_code herald_call_own_fn(struct herald_endpoint *endpoint, const struct herald_method_schema *method,
                                            const ProtobufCMessage *request, uint32_t timeout_ms,
                                            herald_call_done_fn *done, void *user);

struct herald_channel {
    /* Constant. */
    char *url;
    struct herald_target *targets;
    size_t target_count;
    struct herald_tls *tls;               /* NULL: none */
    struct herald_credential *credential; /* NULL: none */
    struct herald_interceptor *interceptors;
    size_t interceptor_count;
    struct herald_retry_policy retry; /* filled */
    uint32_t connect_timeout_ms;
    uint32_t max_message_bytes;
    uint32_t max_in_flight;
    uint32_t health_check_ms;
    uint32_t resolve_ms;
    herald_resolve_fn *resolve;
    void (*on_aio)(void *call);   /* of calls that do not block: drives them on */
    herald_call_own_fn *call_own; /* makes a call of the channel's own */
    bool kept;                    /* by a keeper: endpoints may be several, and change */

    atomic_bool closing;        /* no new calls, and what ends now was cancelled; set with the mutex */
    atomic_llong unanswered_ms; /* when a call last ended without the reply that may yet come; 0: never */
    atomic_ullong last_ticket;
    atomic_uint cancels; /* messages under way that tell servers of cancelled calls */

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t idle;   /* in_flight became 0, or the keeper has ended or waits for a name */
    pthread_cond_t wake;   /* the keeper's; monotonic */
    bool immortal;         /* nng would not close a socket, and may still report its connection's end: never freed */
    uint32_t in_flight;    /* calls that have not ended, or whose callback has not returned */
    uint32_t internal;     /* of these, the channel's own */
    uint32_t taken;        /* references: calls out of the pool, the open channel, the keeper */
    struct herald_call *free_calls[CALL_KINDS];
    struct herald_call *resting[CALL_KINDS]; /* ended near their deadline, and not free yet; by time */
    struct herald_call *resting_last[CALL_KINDS];
    struct herald_call *pausing;
    struct herald_call *out; /* of the pool: in flight, or with their handle held */
    struct herald_endpoint *endpoints[HERALD_TARGETS_MAX];
    size_t endpoint_count;
    struct herald_endpoint *retired;
    uint32_t turn;
    struct herald_budget budget;

    bool keeper_runs;
    bool resolving;         /* the keeper waits for a name, and holds nothing */
    int64_t resolve_due_ms; /* keeper */
    int64_t resolved_ms;    /* when last */
    uint64_t tls_stamp;     /* keeper's own */
    char name_error[192];   /* why a name could not be looked up; empty: it could */
    char tls_error[192];    /* why changed TLS files could not be used; empty: they could */
};

/** Monotonic time, milliseconds. */
int64_t herald_now_ms(void);
/** What is left of a call's time, milliseconds; 0: none. */
int64_t herald_call_remaining_ms(const struct herald_call *call);

/**
 * Takes a call from the pool, or makes one, and chooses its endpoint.
 *
 * @pinned  for a call of the channel's own: its endpoint; NULL: a caller's call
 * Returns:  HERALD_OK | HERALD_CANCELLED (closing) | HERALD_RESOURCE_EXHAUSTED (too many in flight, no memory)
 */
enum herald_code herald_pool_take(struct herald_channel *channel, enum call_kind kind, struct herald_endpoint *pinned,
                                  int64_t now_ms, struct herald_call **ret_call, struct herald_error *reterr);
/**
 * Ends a call's flight, after its callback has returned.
 *
 * @pool  true: it goes back to the pool too; false: its handle is still held, see herald_pool_give_back()
 */
void herald_pool_end(struct herald_channel *channel, struct herald_call *call, bool pool);
/** Puts an ended call back that its handle kept from the pool. The last call of a closed channel frees the channel. */
void herald_pool_give_back(struct herald_channel *channel, struct herald_call *call);

/** Gives a call without an endpoint one, and a context of it. False: there is no endpoint, or no memory. */
bool herald_pool_enter(struct herald_channel *channel, struct herald_call *call);
/** Takes the call's endpoint and context back; does nothing if it has none. */
void herald_pool_leave(struct herald_channel *channel, struct herald_call *call);
/**
 * Notes how a call's endpoint failed it: a failure counts towards its ejection; that it drains or has no room is known to
 * the calls that follow.
 *
 * @end  what the server answered; NULL: it did not
 */
void herald_pool_report(struct herald_channel *channel, const struct herald_call *call,
                        const struct herald_attempt_end *end);
/**
 * Looks where a repeat would find a server.
 *
 * @but            this endpoint does not count; NULL: all do
 * @ret_ready      an endpoint is connected and well, and does not drain
 * @ret_connected  an endpoint is connected and does not drain, well or not
 */
void herald_pool_look(struct herald_channel *channel, const struct herald_endpoint *but, bool *ret_ready,
                      bool *ret_connected);
/** Takes a retry from the budget. False: the budget is spent, or the channel is being closed. */
bool herald_pool_admit_retry(struct herald_channel *channel);

/** Posts a sleep at the call's timer. False: the channel is being closed, or no memory. The call's mutex is held. */
bool herald_pool_pause_locked(struct herald_channel *channel, struct herald_call *call, uint32_t ms);
/** Takes a call whose sleep has ended out of the channel's list. */
void herald_pool_unpause(struct herald_channel *channel, struct herald_call *call);

/** Ends all sleeps of a channel that is being closed; none begins any more. The channel's mutex is held. */
void herald_pool_wake_all_locked(struct herald_channel *channel);
/** Cancels all calls of a channel that is being closed, and waits until their callbacks have returned. Blocks. */
void herald_pool_cancel_all(struct herald_channel *channel);
/** Frees the pool of a channel without calls in flight; of calls whose handles are held, what they have of nng. */
void herald_pool_fini(struct herald_channel *channel);

/** Least time between two look-ups of names that failures ask for. */
#define HERALD_HURRIED_MS 1000
/** Makes the keeper look the names up soon. The channel's mutex is held. */
void herald_channel_hurry_locked(struct herald_channel *channel);
/** Drops one reference. Call with the channel's mutex held; it is unlocked on return. The last one frees the channel. */
void herald_channel_unref_locked(struct herald_channel *channel);
/** Frees a channel that has no calls and whose sockets are closed. */
void herald_channel_free(struct herald_channel *channel);

#endif
