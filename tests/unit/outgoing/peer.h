#ifndef HERALD_TESTS_DISTRIBUTION_HTTP_PEER_H
#define HERALD_TESTS_DISTRIBUTION_HTTP_PEER_H

#include <stdbool.h>

/* An HTTP peer with faults on demand: one thread, one connection after the other, on a free port of 127.0.0.1. */
enum peer_fault {
    PEER_ANSWERS,            /* reads a request, answers with peer->answer, closes */
    PEER_KEEPS_THEN_CLOSES,  /* answers the first request of a connection, reads the second and closes without answer */
    PEER_READS_THEN_CLOSES,  /* reads a request and closes without an answer */
    PEER_READS_AND_HANGS,    /* reads a request and never answers */
    PEER_ANSWERS_AND_HANGS,  /* reads a request, answers, and leaves the connection open */
    PEER_ANSWERS_AND_RESETS, /* reads a request, answers, and resets the connection */
    PEER_KEEPS,              /* answers every request of a connection */
    PEER_KEEPS_THEN_RESETS,  /* answers the first request of a connection, reads the second and resets it */
};
struct peer;

/** @answer  the whole response, status line included */
struct peer *peer_start(enum peer_fault fault, const char *answer);
void peer_stop(struct peer *peer);
int peer_port(const struct peer *peer);
/** Complete requests read so far. */
int peer_requests(struct peer *peer);
/** Connections accepted so far. */
int peer_connections(struct peer *peer);
/** Waits until that many requests were read. False after 5 s. */
bool peer_wait_requests(struct peer *peer, int count);
/** Text of the latest request; valid until the next one. */
const char *peer_last_request(struct peer *peer);

#endif
