#ifndef HERALD_REDIS_REDIS_TLS_H
#define HERALD_REDIS_REDIS_TLS_H

#include "herald/error.h"

#include <openssl/ssl.h>

/** How to speak TLS to a Redis. Empty or NULL: not set. */
struct redis_tls_options {
    const char *ca_file;     /* PEM of the CAs to trust; not set: the system's */
    const char *cert_file;   /* PEM of our certificate with its chain; not set: none */
    const char *key_file;    /* PEM of its key */
    const char *server_name; /* the name that the server's certificate must have; not set: the host of the URL */
};

/**
 * Reads the files.
 *
 * @ret_context  free with SSL_CTX_free()
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_CERTIFICATE: names the file) | HERALD_RESOURCE_EXHAUSTED
 *          (OUT_OF_MEMORY)
 * Context: any thread; reads files
 */
enum herald_code redis_tls_context(const struct redis_tls_options *options, SSL_CTX **ret_context,
                                   struct herald_error *reterr);

#endif
