#ifndef HERALD_NATIVE_NATIVE_TLS_H
#define HERALD_NATIVE_NATIVE_TLS_H

/* TLS as the secure layer of a stream, by OpenSSL without a socket. Certificates and what is trusted are the business of
 * whoever makes the SSL. */
#include "server/native/stream.h"

#include <openssl/ssl.h>

/** Asks the maker of an SSL, before each read and write, whether the connection may go on. All on the stream's thread. */
struct native_tls_guard {
    bool (*may_go_on)(void *user, SSL *ssl); /* NULL: always */
    void (*free)(void *user);                /* with the layer; NULL: nothing to do */
    void *user;
};

/**
 * Makes the layer of a connection, for native_stream_options.secure.
 *
 * @ssl    taken; knows whether it accepts or connects (SSL_set_accept_state()), and has no BIO yet. Its modes must be those
 *         of tls_context_harden(). NULL: there was no memory for one
 * @guard  copied; its user is taken
 * Returns: NULL: no memory; everything that was given is freed
 */
void *native_tls_new(SSL *ssl, const struct native_tls_guard *guard);

/** For native_stream_options.secure_ops. */
extern const struct native_secure_ops native_tls_ops;

/** Verifies the server's certificate against @name, and sends the name to the server (SNI) unless it is an address.
 *  Returns: false: no memory, or no name. Any thread, before the handshake. */
bool native_tls_want_name(SSL *ssl, const char *name);

#endif
