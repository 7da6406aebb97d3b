#ifndef HERALD_CLIENT_CLOSE_SOCKET_H
#define HERALD_CLIENT_CLOSE_SOCKET_H

#include <nng/nng.h>
#include <stdbool.h>

/**
 * Closes a socket, or gives up if nng hangs.
 *
 * Returns:  true: closed | false: given up after 5 s, where stream_shim.c is active after 60 s; the socket's callbacks
 *           may still run, so their data must not be freed
 * Context:  blocks; any thread but nng's own
 */
bool herald_close_socket(nng_socket socket);

#endif
