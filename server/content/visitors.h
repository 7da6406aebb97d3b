#ifndef HERALD_CONTENT_VISITORS_H
#define HERALD_CONTENT_VISITORS_H

/*
 * The connections of the picture server. A visitor is silent, or its request is being answered. Only a whole request ends
 * its silence, single bytes do not. There are always places for newcomers:
 *
 *   - when all places are taken, the visitor that has been silent the longest makes way: first one of an address that has
 *     more than its share, then any. If nobody is silent, who has been answered the longest makes way;
 *   - who is silent for too long, or takes an answer for too long, is sent away.
 *
 * A visitor that must go finds its connection shut down; the HTTP server then ends it as one that the peer has closed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct visitors;
struct visitor;

struct visitors_options {
    unsigned most;       /* connections at once */
    unsigned share;      /* of one address; more are let in while there is room */
    uint32_t silent_ms;  /* longest silence: before a request's head is complete, and between requests */
    uint32_t answer_ms;  /* longest time for one request, from its head to the end of its answer */
    uint32_t protect_ms; /* so long a request that is being answered makes no way */
};

/** Makes an empty table, and starts the thread that sends the slow away. Returns: NULL: no memory, or no thread. */
struct visitors *visitors_new(const struct visitors_options *options);
/** Stops the thread and frees the table, once all visitors have left. NULL is allowed. */
void visitors_free(struct visitors *visitors);

/**
 * A connection was accepted. Somebody may have to make way for it, perhaps itself. Any thread.
 *
 * @fd      its socket, which stays open until visitors_leave() has returned
 * Returns: NULL: no memory; the connection is shut down already
 */
struct visitor *visitors_enter(struct visitors *visitors, int fd, const struct sockaddr *address);
/** The connection is about to be closed. NULL is allowed. Any thread. */
void visitors_leave(struct visitors *visitors, struct visitor *visitor);
/** The head of a request has come (@asks), or its answer has ended. NULL is allowed. Any thread. */
void visitor_asks(struct visitors *visitors, struct visitor *visitor, bool asks);

#endif
