#ifndef HERALD_CLIENT_TLS_H
#define HERALD_CLIENT_TLS_H

/* A channel's TLS files, and the nng configuration that they make. */
#include "herald/client.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdatomic.h>
#include <stdint.h>

struct herald_tls;

/** True where the process has given nng a TLS engine that takes names from subjectAltName alone (RFC 9525). Set before the
 *  first channel is opened. */
extern atomic_bool herald_tls_engine_checks_names;

/**
 * Copies the options.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (TLS_OPTIONS_MISSING: no ca_file, or a key_file without a cert_file)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code herald_tls_new(const struct herald_tls_options *options, struct herald_tls **ret_tls,
                                struct herald_error *reterr);
/** NULL is allowed. */
void herald_tls_free(struct herald_tls *tls);

/**
 * Reads the files into a configuration. With it, a server must have a certificate of the CA with the right name.
 *
 * @host        name to verify, unless the options name one
 * @ret_config  free with nng_tls_config_free()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (FILE_UNREADABLE; TLS_FILE_REFUSED: no PEM; KEY_EXPOSED: others may
 *           read the key) | HERALD_RESOURCE_EXHAUSTED (NO_TLS, OUT_OF_MEMORY)
 */
enum herald_code herald_tls_load(const struct herald_tls *tls, const char *host, nng_tls_config **ret_config,
                                 struct herald_error *reterr);
/** The options, as they were given. They live as long as @tls. */
struct herald_tls_options herald_tls_options_of(const struct herald_tls *tls);
/** A number that changes when one of the files changes. */
uint64_t herald_tls_stamp(const struct herald_tls *tls);

#endif
