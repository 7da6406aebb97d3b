#ifndef HERALD_OUTGOING_HTTP_KNOCK_H
#define HERALD_OUTGOING_HTTP_KNOCK_H

#include <stdint.h>

/**
 * Asks an HTTP server for "/" and waits for its status line, whatever the status. A server that accepts connections and
 * answers nobody is found so.
 *
 * @wait_ms  longest time for all of it but the look-up of the name
 * Returns:  0: it answers | an errno: ETIMEDOUT: no answer in time; EPROTO: what it said is no HTTP; EHOSTUNREACH: no such
 *           name; as connect()
 * Context:  blocks; any thread
 */
int http_knock(const char *host, const char *port, uint32_t wait_ms);

#endif
