#ifndef HERALD_TESTS_PEER_H
#define HERALD_TESTS_PEER_H

#include "herald/error.h"
#include "herald/rpc/v1/envelope.pb-c.h"

#include <nng/nng.h>
#include <protobuf-c/protobuf-c.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/*
 * A server of a test's own: a REP socket that answers each request as the test says, on nng's threads, as many at once
 * as it has contexts.
 */

enum { PEER_CONTEXTS = 128 };

struct peer;

/** What to do with a request. */
enum peer_action {
    PEER_REPLY,  /* send *ret_reply */
    PEER_SILENT, /* never answer */
    PEER_HANG_UP /* close the connection it came on */
};

/**
 * Answers one request; runs on nng's threads, so it must not block.
 *
 * @request    the envelope; NULL if the message is none
 * @ret_reply  for PEER_REPLY: an empty message to append to
 */
typedef enum peer_action peer_answer_fn(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *ret_reply);

struct peer_context {
    struct peer *peer;
    nng_ctx context;
    nng_aio *aio;
    bool sending;
};

struct peer {
    nng_socket socket;
    char url[160];
    peer_answer_fn *answer;
    void *user;
    atomic_int received; /* requests that arrived */
    atomic_int replied;  /* replies handed to their connection */
    struct peer_context contexts[PEER_CONTEXTS];
};

/** Listens; url "tcp://127.0.0.1:0" gets a free port, see peer->url. */
void peer_open(struct peer *peer, const char *url, peer_answer_fn *answer, void *user);
void peer_close(struct peer *peer);
/** Appends a packed response envelope with a packed payload (may be NULL). */
void peer_append_response(nng_msg *msg, const Herald__Rpc__V1__Response *response, const ProtobufCMessage *payload);
/** Waits until @counter is at least @wanted; false after 20 s. */
bool wait_for_count(atomic_int *counter, int wanted);

#endif
