#ifndef HERALD_TESTS_UNIT_RPC_HANGUP_H
#define HERALD_TESTS_UNIT_RPC_HANGUP_H

#include "fixture.h"

/* Peers that hang up while the connection is negotiated. Before nng 1.6 one of them ends a listener for good. */

/** Starts the fixture's server on a Unix socket. */
void listen_on_unix_socket(struct fixture *fixture);
/** Hundreds of peers connect to @url, tcp or ipc, and hang up. */
void hangup_storm(const char *url);

/** True when a call over a new connection is answered within @timeout_ms. */
bool answers(const char *url, int timeout_ms);

#endif
