#ifndef HERALD_CLIENT_ENGINE_H
#define HERALD_CLIENT_ENGINE_H

/*
 * What carries the messages of a channel's calls. In the client library nng's sockets do (engine_nng.c). A server can
 * give its channels another engine, with herald_channel_open_on().
 *
 * Messages lie in memory of the engine: of nng's messages, or in buffers that a call uses again.
 *
 * A call has one operation at a time: a send, then the receive of its reply, or a pause. Its result is one of nng's
 * codes: 0, NNG_ETIMEDOUT, NNG_ECANCELED, or what became of the connection. The completion of a started call's operation
 * calls the channel's on_completion(), on a thread of the engine, never within a function below. A blocking call waits.
 */
#include "herald/error.h"

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct herald_call;
struct herald_channel;
struct herald_endpoint;
struct herald_tls;

/** A reply as it came. */
struct herald_received {
    const uint8_t *bytes;
    size_t count;
    nng_msg *
        msg; /* to which the bytes belong, the taker's; NULL: they are the engine's, until the completion returns or the
                   * call's next operation */
};

enum herald_operation { HERALD_NO_OPERATION, HERALD_SEND, HERALD_RECEIVE, HERALD_PAUSE };

struct herald_engine {
    /**
     * Opens an endpoint, whose url and target are set. Connections are made in the background; each is counted in the
     * endpoint's pipe_count and connections.
     *
     * @tls        NULL unless the target is TLS
     * @max_bytes  longest message to accept
     * Returns:  as herald_endpoint_new()
     */
    enum herald_code (*open)(const struct herald_engine *engine, struct herald_endpoint *endpoint,
                             const struct herald_tls *tls, uint32_t max_bytes, struct herald_error *reterr);
    /** Reads the files of TLS, so that the opening of a channel reports bad ones. Returns: as herald_tls_load() */
    enum herald_code (*check_tls)(const struct herald_tls *tls, const char *host, struct herald_error *reterr);
    /** As herald_endpoint_close(). */
    bool (*close)(struct herald_endpoint *endpoint);
    /** Frees what open() made; the endpoint is closed, or open() has failed. */
    void (*free)(struct herald_endpoint *endpoint);

    /** Makes what a call's operations need: call->operations. False: no memory. */
    bool (*make)(struct herald_call *call);
    /** Frees it, once callbacks have returned. NULL in call->operations is allowed. */
    void (*unmake)(struct herald_call *call);

    /** Gives a call a place at its endpoint. False: none is free, and enter() must make one. The channel's mutex is
     *  held. */
    bool (*enter_locked)(struct herald_call *call);
    /** Makes a place. False: no memory. */
    bool (*enter)(struct herald_call *call);
    /** Gives the place back. The channel's mutex is held. */
    void (*leave_locked)(struct herald_call *call);

    /** Makes room for the message of the next send. NULL: no memory. */
    uint8_t *(*make_request)(struct herald_call *call, size_t bytes);
    /** Frees it, after a send that failed or was not posted. */
    void (*drop_request)(struct herald_call *call);
    /**
     * Posts a send. The engine keeps the message until a connection has room for it.
     *
     * @limit_ms  time after which the send ends with NNG_ETIMEDOUT
     * Returns:  true: a connection has taken the message already, and no completion follows | false: one follows
     * Context:  the call's mutex is held
     */
    bool (*send)(struct herald_call *call, int64_t limit_ms);
    /** Posts the receive of the reply to the message sent last; it ends with NNG_ETIMEDOUT at the call's reply_until_ms,
     *  @limit_ms from now. The call's mutex is held. */
    void (*receive)(struct herald_call *call, int64_t limit_ms);
    /** Makes what a pause needs. False: no memory. */
    bool (*prepare_pause)(struct herald_call *call);
    /** Posts a pause. The mutexes of call and channel are held. */
    void (*pause)(struct herald_call *call, uint32_t ms);
    /** The result of an operation that has completed. */
    int (*result)(struct herald_call *call, enum herald_operation operation);
    /** The reply of a receive that has succeeded, once. */
    struct herald_received (*take)(struct herald_call *call);
    /** Waits until a blocking call's operation has completed. */
    void (*wait)(const struct herald_call *call, enum herald_operation operation);
    /** Ends an operation with NNG_ECANCELED, if it is posted. Locks may be held. Any thread. */
    void (*cancel)(struct herald_call *call, enum herald_operation operation);
    /** For a channel that is being closed: lets completions come that nothing else lets come any more. NULL: not needed.
     *  No lock is held. */
    void (*turn)(const struct herald_engine *engine);
    /** Whether a time-out may fire late, and a reply hang that arrives while its connection is closed (nng 1.5). */
    bool is_late;
};

/** nng's sockets. */
extern const struct herald_engine herald_engine_nng;

#endif
