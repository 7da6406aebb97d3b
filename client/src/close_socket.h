#ifndef HERALD_CLIENT_CLOSE_SOCKET_H
#define HERALD_CLIENT_CLOSE_SOCKET_H

#include <nng/nng.h>
#include <stdbool.h>

/**
 * Closes a socket, unless nng hangs in it.
 *
 * Returns:  true: closed | false: given up after 5 s; the socket's callbacks may still come, so that what they use must
 *           not be freed
 * Context:  blocks; any thread but nng's own
 */
bool herald_close_socket(nng_socket socket);

#endif
