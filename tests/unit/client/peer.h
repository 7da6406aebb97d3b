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

#define PEER_CONTEXTS 128

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
    bool own; /* what is sent is the peer's own answer */
};

struct peer {
    nng_socket socket;
    char url[160];
    peer_answer_fn *answer;
    void *user;
    atomic_int received; /* requests that answer() has seen: what is done about them is settled */
    atomic_int replied;  /* replies of answer() handed to their connection */
    /* Calls/Cancel, and where health is set Health/Check, are answered by the peer itself. */
    atomic_int cancels;      /* that arrived */
    atomic_ullong cancelled; /* ticket of the last one */
    atomic_bool late;        /* it said that the time is spent */
    atomic_int checks;       /* that arrived and were answered */
    atomic_int health;       /* what it answers, a SERVING_STATUS; 0: answer() is asked */
    struct peer_context contexts[PEER_CONTEXTS];
};

/** Listens; url "tcp://127.0.0.1:0" gets a free port, see peer->url. */
void peer_open(struct peer *peer, const char *url, peer_answer_fn *answer, void *user);
/** The same over TLS. @url  NULL: on a free port of 127.0.0.1  @client_ca  whose certificates callers must have; NULL: none */
void peer_open_tls(struct peer *peer, const char *url, const char *cert_file, const char *key_file,
                   const char *client_ca, peer_answer_fn *answer, void *user);
void peer_close(struct peer *peer);
/** Appends a packed response envelope with a packed payload (may be NULL). */
void peer_append_response(nng_msg *msg, const Herald__Rpc__V1__Response *response, const ProtobufCMessage *payload);
/** Waits until @counter is at least @wanted; false after 20 s. */
bool wait_for_count(atomic_int *counter, int wanted);

#endif
