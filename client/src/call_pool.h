#ifndef HERALD_CLIENT_CALL_POOL_H
#define HERALD_CLIENT_CALL_POOL_H

/*
 * A channel is a set of endpoints and a pool of calls. Unless the set is one fixed endpoint, the channel has a keeper:
 * a thread that resolves names, checks health and reads changed TLS files (keeper.c).
 *
 * Locks: a call's mutex, then its channel's. Callbacks of connections lock nothing. No function of nng that can wait
 * for a callback is called with a lock held.
 */
#include "client/src/call_state.h"
#include "client/src/endpoint.h"
#include "client/src/request.h"
#include "client/src/resolve.h"
#include "client/src/retry.h"
#include "client/src/throttle.h"
#include "client/src/tls_why.h"
#include "herald/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The thread that takes a call's completions: the engine's, or the blocked caller's, which saves a change of threads. */
enum call_kind { CALL_STARTED, CALL_BLOCKING, CALL_KINDS };

struct herald_call {
    /* Constant. */
    struct herald_channel *channel;
    enum call_kind kind;

    /* Of the pool: guarded by the channel's mutex. */
    struct herald_call *next_free;
    int64_t rested_ms;                               /* in resting: when it may be reused */
    struct herald_call *pause_next, *pause_previous; /* in pausing */
    struct herald_call *out_next, *out_previous;     /* in out */

    /* Of the thread that drives the call: see enum call_state. */
    enum call_state state;
    void *operations; /* of the engine */
    const struct herald_method_schema *method;
    struct herald_request request;
    size_t kept_bytes;         /* of the request's buffer, if it is large: as the channel counts them */
    herald_call_done_fn *done; /* NULL for a blocking call */
    bool packed;               /* its reply has no message: herald_call_start_packed() */
    void *user;
    /* Where the end goes: of a blocking call its caller's reply; of a started call one that the thread which drives the
     * call lends it, from a completion to the next post. A waiting call holds none, because a reply takes 7 KB. */
    struct herald_reply *reply;
    char call_id[37];
    uint32_t attempts; /* how many were begun */
    uint32_t timeout_ms;
    int64_t started_ms; /* monotonic, as are all times here */
    int64_t deadline_ms;
    uint64_t started_us;                  /* set if there are interceptors */
    struct herald_credential *credential; /* given for this call; NULL: the channel's is used */
    struct herald_endpoint *pinned;       /* the channel's own call, to this endpoint only; NULL: a caller's call */

    /* Of the attempt. */
    struct herald_endpoint *endpoint;    /* its endpoint, at which it holds a place; NULL: none now */
    const struct herald_endpoint *avoid; /* chosen only if there is no other; NULL: none */
    uint32_t connection;                 /* number of the endpoint's connection that sent it */
    int64_t connect_until_ms;            /* it waits for a connection until then */
    struct herald_attempt attempt;       /* content of its message; ticket 0: the call has made no message yet */
    const ProtobufCMessage *given;       /* the caller's message, until something is posted; then NULL */
    size_t interceptors_run;
    struct herald_buffer metadata; /* that interceptors added */
    struct herald_attempt_end end; /* zeroed until the attempt has ended */
    int64_t reply_ms;              /* how long it waits for its reply: herald_retry_reply_ms() */
    int64_t reply_until_ms;        /* the receive that was posted last waits until then; INT64_MAX: none was */
    bool cut;                      /* that is before the deadline */

    /* Of the attempts before. */
    enum herald_outcome before;    /* what they may have done: herald_retry_carried() */
    enum herald_code earlier_code; /* of the reply to the last of them; OK: no reply */
    char earlier_reason[64];
    uint32_t cuts;            /* how many were cut short */
    uint32_t uncounted;       /* the facts of the same names: struct herald_retry_facts */
    int64_t restart_until_ms; /* … */
    int64_t held_until_ms;    /* … */

    pthread_mutex_t mutex; /* guards the rest */
    enum herald_operation posted;
    enum call_stop stop;
    uint32_t shares; /* references to a started call: the callback until it returns, the handle until it is released */
};

/** The throttle of one method's calls over a channel, made when a server first refuses one of them. */
struct herald_method_throttle {
    struct herald_method_throttle *next;
    const struct herald_method_schema *method;
    struct herald_throttle throttle;
};

/**
 * Starts a channel's own call to an endpoint, with the channel's credential. It has no retries and no interceptors, and
 * does not count towards max_in_flight.
 *
 * @done  as in herald_call_start()
 * Returns:  HERALD_OK: @done will be called | any other code, as herald_call_start(): it will not
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
    uint32_t overload_percent; /* of herald_throttle_admit() */
    uint32_t health_check_ms;
    uint32_t resolve_ms;
    herald_resolve_fn *resolve;
    const struct herald_engine *engine;
    void (*on_completion)(void *call); /* of a started call's operation: drives the call on */
    herald_call_own_fn *call_own;      /* starts a channel's own call */
    bool kept;                         /* has a keeper: endpoints may be several, and change */

    atomic_bool closing;        /* no new calls, and calls that end now end cancelled; set with the mutex */
    atomic_llong unanswered_ms; /* when a call last ended whose reply may still arrive; 0: never */
    atomic_ullong last_ticket;
    atomic_uint cancels;      /* cancel messages in flight */
    atomic_size_t kept_bytes; /* of large buffers that its calls keep */

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t idle;   /* in_flight became 0, or the keeper has ended or waits for a name */
    pthread_cond_t wake;   /* wakes the keeper; monotonic */
    bool immortal;         /* never freed: nng did not close a socket, and may still report its connection's end */
    uint32_t in_flight;    /* calls that have not ended, or whose callback has not returned */
    uint32_t internal;     /* of these, the channel's own calls */
    uint32_t taken;        /* references: calls out of the pool, the open channel, the keeper */
    struct herald_call *free_calls[CALL_KINDS];
    struct herald_call *resting[CALL_KINDS]; /* ended near their deadline, and not reused yet; by time */
    struct herald_call *resting_last[CALL_KINDS];
    struct herald_call *pausing;
    struct herald_call *out; /* calls out of the pool: in flight, or with their handle held */
    struct herald_endpoint *endpoints[HERALD_TARGETS_MAX];
    size_t endpoint_count;
    struct herald_endpoint *retired;
    uint32_t turn;
    struct herald_budget budget;
    struct herald_method_throttle *throttles;

    bool keeper_runs;
    bool resolving;                /* the keeper waits for a name, and uses only its reference */
    int64_t resolve_due_ms;        /* when the keeper resolves names next */
    int64_t resolved_ms;           /* when it last did */
    uint64_t tls_stamp;            /* only the keeper uses it */
    char name_error[192];          /* why the last look-up of a name failed; empty: it did not */
    int64_t tls_look_ms;           /* when the keeper looks into a missing TLS connection next; 0: there is none */
    struct herald_tls_why tls_why; /* why a TLS connection is not there */
    char tls_error[192];           /* why changed TLS files could not be used; empty: they could */
};

/** Monotonic time, milliseconds. */
int64_t herald_now_ms(void);
/** The time until a call's deadline, milliseconds; 0: none. */
int64_t herald_call_remaining_ms(const struct herald_call *call);

/**
 * Takes a call from the pool, or makes one, and chooses its endpoint. Turns a caller's call away where servers refuse
 * most calls of its method (throttle.h).
 *
 * @pinned  the endpoint of a channel's own call; NULL: a caller's call
 * Returns:  HERALD_OK | HERALD_CANCELLED (CHANNEL_CLOSED)
 *           | HERALD_RESOURCE_EXHAUSTED (TOO_MANY_CALLS, OUT_OF_MEMORY; the reason of the servers' last refusal)
 */
enum herald_code herald_pool_take(struct herald_channel *channel, enum call_kind kind, struct herald_endpoint *pinned,
                                  const struct herald_method_schema *method, int64_t now_ms,
                                  struct herald_call **ret_call, struct herald_error *reterr);
/**
 * Ends a call's flight: it no longer counts as in flight. Its callback has returned.
 *
 * @pool  true: puts it into the pool too; false: its handle is still held, see herald_pool_give_back()
 */
void herald_pool_end(struct herald_channel *channel, struct herald_call *call, bool pool);
/** Puts an ended call into the pool when its handle is released. A closed channel's last call frees the channel. */
void herald_pool_give_back(struct herald_channel *channel, struct herald_call *call);

/** Chooses an endpoint for a call that has none, and gives it a place there. False: no endpoint, or no memory. */
bool herald_pool_enter(struct herald_channel *channel, struct herald_call *call);
/** Releases the call's endpoint and its place there; does nothing if it has none. */
void herald_pool_leave(struct herald_channel *channel, struct herald_call *call);
/**
 * Records a failure of a call's endpoint. It counts towards ejection. Later calls see that the endpoint drains or has
 * no room for the connection.
 *
 * @end  the server's reply; NULL: none came
 */
void herald_pool_report(struct herald_channel *channel, const struct herald_call *call,
                        const struct herald_attempt_end *end);
/**
 * Checks which endpoints a retry could use.
 *
 * @but            an endpoint that does not count; NULL: all count
 * @ret_ready      whether an endpoint is connected and healthy, and does not drain
 * @ret_connected  whether an endpoint is connected and does not drain, healthy or not
 */
void herald_pool_look(struct herald_channel *channel, const struct herald_endpoint *but, bool *ret_ready,
                      bool *ret_connected);
/** Whether the budget has a retry left. */
bool herald_pool_has_retry(struct herald_channel *channel, int64_t now_ms);
/** Withdraws a retry from the budget. False: the budget is spent, or the channel is being closed. */
bool herald_pool_admit_retry(struct herald_channel *channel);

/** Posts a sleep. False: the channel is being closed, or no memory. The call's mutex is held. */
bool herald_pool_pause_locked(struct herald_channel *channel, struct herald_call *call, uint32_t ms);
/** Takes a call whose sleep has ended out of the channel's list. */
void herald_pool_unpause(struct herald_channel *channel, struct herald_call *call);

/** Ends all sleeps of a channel that is being closed; no new one can begin. The channel's mutex is held. */
void herald_pool_wake_all_locked(struct herald_channel *channel);
/** Cancels all calls of a channel that is being closed, and waits until their callbacks have returned. Blocks. */
void herald_pool_cancel_all(struct herald_channel *channel);
/** Frees the pool of a channel without calls in flight. Calls whose handles are held stay, without their operations. */
void herald_pool_fini(struct herald_channel *channel);

/** Least time between two look-ups of names that failures cause. */
#define HERALD_HURRIED_MS 1000
/** Makes the keeper resolve the names soon. The channel's mutex is held. */
void herald_channel_hurry_locked(struct herald_channel *channel);
/** Drops one reference. Call with `channel->mutex` held; it is unlocked on return. The last one frees the channel. */
void herald_channel_unref_locked(struct herald_channel *channel);
/** Frees a channel that has no calls and whose endpoints are closed. */
void herald_channel_free(struct herald_channel *channel);

#endif
