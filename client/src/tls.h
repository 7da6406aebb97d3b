#ifndef HERALD_CLIENT_TLS_H
#define HERALD_CLIENT_TLS_H

#include "herald/client.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdint.h>

/* A channel's TLS files, and nng's configuration made of them. */

struct herald_tls;

/**
 * Copies the options.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (no ca_file) | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code herald_tls_new(const struct herald_tls_options *options, struct herald_tls **ret_tls,
                                struct herald_error *reterr);
/** NULL is allowed. */
void herald_tls_free(struct herald_tls *tls);

/**
 * Reads the files. The server must have a certificate of the CA with the right name.
 *
 * @host        name to verify, unless the options name one
 * @ret_config  give back with nng_tls_config_free()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (a file cannot be read, is no PEM, or a key that others may read)
 *           | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code herald_tls_load(const struct herald_tls *tls, const char *host, nng_tls_config **ret_config,
                                 struct herald_error *reterr);
/** A number that changes when one of the files does. */
uint64_t herald_tls_stamp(const struct herald_tls *tls);

#endif
