#ifndef HERALD_TRANSPORT_LISTENER_PRIVATE_H
#define HERALD_TRANSPORT_LISTENER_PRIVATE_H

#include "server/transport/listener.h"
#include "server/transport/self_call.h"
#include "server/transport/tls_identity.h"

#include <nng/nng.h>

/* A message that is longer than the limit by at most this gets an error as its reply; a longer one ends its connection.
 * Every connection may hold that much memory, even for a message that never ends. */
#define OVERSIZE_ANSWERED_BYTES (64u * 1024u)

/** What an engine does for its listeners. */
struct listener_engine {
    const struct exchange_engine *exchanges;
    /** Listens, and sets the URL as bound. As listener_open() */
    enum herald_code (*open)(struct listener *listener, const char *url, const struct listener_options *options,
                             struct herald_error *reterr);
    /** Ends what open() began, all or a part. No request arrives afterwards. False: nng hangs */
    bool (*close)(struct listener *listener);
    /** Calls listener_sweep(), LISTENER_SWEEP_MS from now. Not again before that. Any thread */
    void (*sweep_later)(struct listener *listener);
    /** As self_call() */
    const char *(*call_self)(struct listener *listener, const struct self_call *call, bool *ret_hung);
    /** As listener_reopen() */
    enum herald_code (*reopen)(struct listener *listener, struct herald_error *reterr);
    /** After all exchanges have been freed; NULL: nothing is left. */
    void (*free)(struct listener *listener);
};

/* nng_listener.c */
extern const struct listener_engine listener_engine_nng;
/* native_listener.c */
extern const struct listener_engine listener_engine_native;

/* The members of a listener, for its engines and tests. */
struct listener {
    const struct listener_engine *engine;
    char server_name[64];
    uint32_t max_message_bytes;
    uint32_t max_connections;
    nng_socket socket; /* nng's, as is the endpoint */
    nng_listener endpoint;
    nng_aio *sweeper;               /* nng's: sleeps until the next listener_sweep() */
    struct native_listener *native; /* NULL: nng's */
    char url[256];                  /* as bound */
    struct tls_identity *tls;       /* NULL: no TLS */
    atomic_ulong accepted_count;    /* connections that completed negotiation */
    struct peers peers;
    struct exchange_pool exchanges;
    atomic_bool sweeping;
    uint64_t unread_log_us; /* when unread replies were logged last; the sweeper's own */
};

/* Time between two rounds of listener_sweep(). */
#define LISTENER_SWEEP_MS 20

/* listener.c */
/** Closes extra connections that are due, and those with unread replies when resources are short. On a thread of the
 *  engine. */
void listener_sweep(struct listener *listener);
/** A new connection has greeted. Returns: false: there is no place for it; the caller closes it. Any thread */
bool listener_admit(struct listener *listener, uint32_t id);
/** Set the error of a listener that finds no memory, whose address is in use, or that cannot listen for another reason.
 *  Returns: HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY") */
enum herald_code listener_no_memory(const char *url, struct herald_error *reterr);
/** Returns: HERALD_FAILED_PRECONDITION (reason "ADDRESS_IN_USE") */
enum herald_code listener_in_use(const struct listener *listener, const char *url, struct herald_error *reterr);
/** Returns: HERALD_UNAVAILABLE (reason "CANNOT_LISTEN") */
enum herald_code listener_cannot_listen(const struct listener *listener, const char *url, const char *why,
                                        struct herald_error *reterr);

#endif
