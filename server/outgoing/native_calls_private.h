#ifndef HERALD_OUTGOING_NATIVE_CALLS_PRIVATE_H
#define HERALD_OUTGOING_NATIVE_CALLS_PRIVATE_H

/* Shared by native_calls.c (the engine), native_op.c (memory of operations), native_hub.c (what belongs to a loop) and
 * native_lane.c (a connection). */
#include "client/base/backoff.h"
#include "client/src/call_pool.h"
#include "server/native/stream.h"
#include "server/outgoing/native_calls.h"
#include "server/outgoing/native_secure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

/** Something to do at a time. */
struct due {
    int64_t at_ms; /* monotonic */
    size_t index;  /* in the hub's heap; DUE_NONE: not there */
    void (*fire)(struct due *due);
};
#define DUE_NONE SIZE_MAX
/* Of the memory for a request, and for a reply, so much stays with a call that has ended. */
#define OP_KEPT_BYTES 1024u

/** What belongs to one loop. On its thread only, unless said otherwise. */
struct hub {
    struct loop_ending ending; /* first */
    struct native_calls *calls;
    struct loop *loop;
    struct native_loop *streams; /* NULL: not open yet, or ended */
    uv_timer_t timer;
    int64_t timer_ms; /* when it fires; INT64_MAX: never */
    struct due **heap;
    size_t heap_count, heap_capacity;
    size_t users; /* operations and lanes, each of which may need a place in the heap */
    struct lane *lanes;
    bool is_ended;  /* no operation is taken any more */
    bool is_listed; /* in the endings of the loop */
    bool has_handles;
    bool is_told;              /* end_work has come */
    struct loop_work end_work; /* of native_calls_free() */
    atomic_bool is_gone;       /* any thread: nothing of the loop points to it any more */
};

/** An engine. */
struct native_calls {
    struct herald_engine engine; /* first */
    pthread_mutex_t turning;     /* one thread runs loops that do not run */
    unsigned count;
    struct hub hubs[];
};

/* What an operation is in, on its hub's thread. */
enum op_state {
    OP_IDLE,     /* nothing is posted, or what is has not arrived at the hub */
    OP_QUEUED,   /* a send that waits for a connection with room */
    OP_SENT,     /* the message was taken, and the receive is not posted yet */
    OP_ANSWERED, /* as OP_SENT; the reply has come, or the connection is lost */
    OP_WAITING,  /* a receive */
    OP_PAUSING,
    OP_ENDING /* its completion is posted to the hub's loop */
};

/** The operations of a call, one at a time. */
struct op {
    struct loop_work work; /* first; carries a posted operation to the hub, or its completion */
    struct loop_work cancel_work;
    struct due due;
    struct herald_call *call;
    _Atomic(struct hub *) hub;
    atomic_uint sequence;        /* counts operations */
    atomic_uint cancel_sequence; /* which one is to be cancelled */
    atomic_bool cancel_posted;
    atomic_uint shares; /* references: the call, cancel_work, an operation of a blocking call, a lane's table */

    enum op_state state;
    struct herald_buffer request; /* to be sent */
    const uint8_t *reply;         /* of reply_bytes: in the stream's memory, or kept */
    size_t reply_bytes;
    struct herald_buffer kept; /* a reply for later, or for another thread */
    int result;                /* of the operation that has completed */
    int answer;                /* OP_ANSWERED: of the receive that is not posted yet */
    int64_t limit_ms;          /* of what is posted to the hub */
    struct lane *lane;         /* of a send and its receive */
    uint32_t id;               /* of the request */
    bool is_listed;            /* in the lane's table */
    bool is_user;              /* of the hub */
    struct op *next, *prev;

    /* Of a blocking call. */
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool is_done;
};

/** A connection of one loop to one endpoint. */
struct lane {
    struct due redial; /* first */
    struct loop_work open_work, close_work;
    struct line *line;
    struct hub *hub;
    struct lane *next, *prev; /* in the hub, once it is used */
    bool is_used, is_open, is_closing;
    bool is_told, is_ended;        /* close_work has come; the stream has ended for good */
    struct native_stream *stream;  /* NULL: none */
    struct herald_backoff backoff; /* of redial */
    uint32_t last_id;
    struct op **table; /* by id, chained */
    size_t table_size, table_count;
    struct op *queue;
};

/** An endpoint. */
struct line {
    struct herald_endpoint *endpoint;
    char *url; /* for native_stream_dial() */
    bool is_ipc;
    struct secure *secure; /* NULL: no TLS */
    uint32_t max_bytes;
    atomic_uint open_lanes; /* any thread: lanes to which something of their loops may point */
    struct lane lanes[];    /* by hub */
};

/* native_hub.c */
/** The engine's hub whose thread this is; NULL: none. */
struct hub *hub_current(struct native_calls *calls);
/** Makes sure that the hub has its handles, and counts a user. False: no memory, or it has ended. */
bool hub_enter(struct hub *hub);
void hub_leave(struct hub *hub);
/** Sets a due that is not set. */
void hub_set_due(struct hub *hub, struct due *due, int64_t at_ms);
/** Does nothing if it is not set. */
void hub_clear_due(struct hub *hub, struct due *due);
/** Ends what the hub has: its operations, connections, handles. */
void hub_close(struct hub *hub);
/** The same for an engine that is freed: is_gone is set then. */
void hub_close_for_good(struct hub *hub);

/* native_lane.c */
void lane_init(struct lane *lane, struct line *line, struct hub *hub);
/** Connects, unless it does already. */
void lane_use(struct lane *lane);
/** Sends the operation's message, or keeps it in the queue. True: it was taken. */
bool lane_send(struct lane *lane, struct op *op);
/** Takes an operation out of the queue or the table. */
void lane_forget(struct op *op);
/** Ends the connection and all operations. */
void lane_close(struct lane *lane);
/** The same for an endpoint that is closed: open_lanes is counted down then. */
void lane_close_for_good(struct lane *lane);

/* native_calls.c */
/** Reports the end of an operation. Afterwards it may be gone. */
void op_complete(struct op *op, int result);

/* native_op.c */
/** Makes the operations of a call, with one reference. NULL: no memory. */
struct op *op_new(struct herald_call *call);
void op_share(struct op *op);
/** Drops a reference. The last one frees it. Any thread. */
void op_unshare(struct op *op);

#endif
