#ifndef HERALD_TRANSPORT_NATIVE_PORT_H
#define HERALD_TRANSPORT_NATIVE_PORT_H

/*
 * A native listener, and its port: the share that a loop has of it, with connections and idle exchanges. All of a port
 * belongs to its loop's thread, but for its atomic members.
 */
#include "server/native/stream.h"
#include "server/runtime/hash.h"
#include "server/transport/listener_private.h"

#include <uv.h>

/* Ports of a listener at most; a connection's id tells its port. */
#define NATIVE_PORTS_MAX 64u
/* The largest memory of replies that a port keeps. */
#define NATIVE_REPLY_KEPT_BYTES (64u * 1024u)

struct native_acceptor;

struct native_port {
    struct loop_ending ending; /* first */
    struct listener *listener; /* not after it has ended */
    struct loop *loop;
    unsigned index;
    atomic_uint shares; /* the listener's, and one of each work that is posted */
    struct native_loop *streams;
    struct native_peer *peers;   /* by id, those that have greeted */
    struct native_peer *starved; /* whose next request waits for an exchange */
    struct exchange *idle;
    struct herald_buffer reply;       /* memory for the next one, of one that was sent */
    struct native_acceptor *acceptor; /* of the first port; NULL: it does not accept now */
    unsigned open;                    /* streams and handles that are not closed yet */
    uv_timer_t tick;                  /* active while replies are being sent */
    uv_timer_t sweep;                 /* of the first port: until listener_sweep() */
    struct loop_work sweep_work, end_work;
    struct loop_work wake;
    atomic_bool woken; /* wake is posted */
    atomic_uint starved_count;
    atomic_uint connection_count; /* for the choice of a port; those that are on their way to it, too */
    bool is_ending;
    atomic_bool has_ended; /* nothing of it is left on the loop */
};

struct native_listener {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* work of native_port_call() was done, or a port has ended */
    struct native_port *ports[NATIVE_PORTS_MAX];
    unsigned count;
    int fd; /* on which it listens */
    bool is_ipc;
    char path[108];  /* of a Unix socket, to be removed; empty: none */
    atomic_uint ids; /* given so far */
    unsigned turn;   /* the acceptor's: ports take turns */
};

/* native_port.c */
struct native_port *native_port_new(struct listener *listener, struct loop *loop, unsigned index);
/** On the loop's thread: begins. False: no memory. */
bool native_port_begin(struct native_port *port);
/** On the loop's thread: closes all; has_ended follows. Repeating it does nothing. */
void native_port_end(struct native_port *port);
/** On the loop's thread: closes the connections. */
void native_port_hang_up(struct native_port *port);
/** Lets listener_sweep() run there, LISTENER_SWEEP_MS from now. Any thread. */
void native_port_sweep_later(struct native_port *port);
/** Serves an accepted socket, which it takes; connection_count counts it already. On the loop's thread. */
void native_port_adopt(struct native_port *port, int fd);
void native_port_share(struct native_port *port);
void native_port_unshare(struct native_port *port);
/** One stream or handle is closed. */
void native_port_note_closed(struct native_port *port);

/* native_accept.c, on the first port's thread */
/** Begins to accept from the listener's socket. False: no memory */
bool native_accept_begin(struct native_port *port);
void native_accept_end(struct native_port *port);

/* native_self_call.c */
/** As self_call(), by a stream of the port's loop; NULL also if that is too busy to tell. Any thread but a loop's. */
const char *native_self_call(struct native_port *port, const struct self_call *call);

/* native_exchange.c */
extern const struct exchange_engine exchange_engine_native;

#endif
