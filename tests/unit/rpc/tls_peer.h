#ifndef HERALD_TESTS_UNIT_RPC_TLS_PEER_H
#define HERALD_TESTS_UNIT_RPC_TLS_PEER_H

#include <nng/nng.h>
#include <stdbool.h>

/* Clients of tls+tcp:// listeners. */

/** What a client shows and trusts, by names of certificates.h; NULL: nothing, or no name verified. */
struct tls_peer {
    const char *ca, *own, *server_name;
};

/** Opens a REQ socket and dials in the background. */
nng_socket tls_peer_open(const char *url, const struct tls_peer *peer);
/** Makes a call over it. Returns: 0 if it was answered as it should be, or an error of nng. */
int tls_peer_call(nng_socket socket);
/** Both, on a connection of its own. */
int tls_peer_call_once(const char *url, const struct tls_peer *peer);

/** What a plain client of libssl does, up to where it hangs up with a reset. */
enum tls_stage { TLS_CONNECT, TLS_GARBAGE, TLS_HALF_HELLO, TLS_HANDSHAKE, TLS_HALF_HEADER, TLS_HEADER, TLS_STAGES };
/** Goes so far with @own as its certificate (NULL: none) and hangs up. */
void tls_hang_up(const char *url, const char *own, enum tls_stage stage);
/** Greets as a REQ peer, sends @bytes of @frames and hangs up with a reset. The other one may be gone at any step. */
void tls_send_and_hang_up(const char *url, const char *own, const void *frames, size_t bytes);
/** Greets as a REQ peer, calls @end, which has the server end the connection, and reads on. Returns whether TLS says that it
 *  ended in order. */
bool tls_is_told_the_end(const char *url, const char *own, void (*end)(void *user), void *user);
/** Shakes hands. Returns the serial number of the server's certificate; @ret_version  "TLSv1.3", static. */
long tls_serial(const char *url, const char *own, const char **ret_version);

#endif
