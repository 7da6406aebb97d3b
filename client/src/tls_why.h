#ifndef HERALD_CLIENT_TLS_WHY_H
#define HERALD_CLIENT_TLS_WHY_H

/*
 * Why a TLS connection is not made. nng does not tell. So a connection that is not there for a while is looked into: by
 * the first messages of a handshake of TLS 1.2, in which the server shows its certificates in the clear, and by libcrypto,
 * which verifies them as a client does. Nothing is sent that tells who asks.
 */
#include "herald/client.h"

#define HERALD_TLS_WHY_BYTES 192u

/** The finding. */
struct herald_tls_why {
    char what[HERALD_TLS_WHY_BYTES]; /* "its certificate has expired"; empty: nothing was found */
    char cure[HERALD_TLS_WHY_BYTES]; /* what to do about it; empty: start the server */
};

/**
 * Looks into it.
 *
 * @options  of the channel
 * @host     of the URL, which the certificate must name unless the options have a server_name
 * @address  to connect to
 * Context:  any thread; blocks up to two seconds
 */
void herald_tls_look_into(const struct herald_tls_options *options, const char *host, const char *address,
                          const char *port, struct herald_tls_why *ret_why);

/** What a certificate says of names. */
enum herald_tls_names { HERALD_TLS_NAMES_NOT_SHOWN, HERALD_TLS_NAMES_NONE, HERALD_TLS_NAMES_SOME };

/** Looks whether the server's certificate has a subjectAltName. Parameters and context: as herald_tls_look_into(). Returns
 *  HERALD_TLS_NAMES_NOT_SHOWN: the server showed no certificate */
enum herald_tls_names herald_tls_look_at_names(const struct herald_tls_options *options, const char *host,
                                               const char *address, const char *port);

#endif
