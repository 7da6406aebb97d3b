#ifndef HERALD_TESTS_DISTRIBUTION_SCRIPTED_PEER_H
#define HERALD_TESTS_DISTRIBUTION_SCRIPTED_PEER_H

#include <stddef.h>

/*
 * An HTTP peer that plays a script: the requests that must come, in order, and what each is answered. One thread, one
 * request a connection, on a free port of 127.0.0.1.
 */

/** One request and its answer. */
struct scripted {
    const char *request; /* how it begins: "GET /v21.0/17 " */
    int status;          /* 0: the peer reads it and closes without an answer */
    const char *headers; /* lines with "\r\n"; NULL: none */
    const char *body;    /* NULL: none */
    size_t claimed;      /* bytes that content-length says; 0: those of the body */
};

#define SCRIPT_MAX 24
struct scripted_peer;

/** @script  ends with a NULL request; borrowed until the stop */
struct scripted_peer *scripted_peer_start(const struct scripted *script);
int scripted_peer_port(const struct scripted_peer *peer);
/** Ends the thread. What came can be read until scripted_peer_free(). */
void scripted_peer_stop(struct scripted_peer *peer);
/** Fails the test unless all of the script was asked for, and nothing else. After the stop. */
void scripted_peer_check(const struct scripted_peer *peer);
/** A request, head and body. After the stop. */
const char *scripted_peer_request(const struct scripted_peer *peer, size_t number);
void scripted_peer_free(struct scripted_peer *peer);

#endif
