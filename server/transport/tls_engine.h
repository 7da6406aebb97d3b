#ifndef HERALD_TRANSPORT_TLS_ENGINE_H
#define HERALD_TRANSPORT_TLS_ENGINE_H

#include "server/transport/tls_identity.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

/*
 * nng's TLS on OpenSSL, for servers: nng's own engine speaks TLS 1.2 only and cannot change a listener's certificate
 * without cutting its connections. Once registered it serves every TLS connection of the process that is configured
 * after that, those that the client library dials too.
 */

/** Registers the engine; again is fine. Returns: 0, or an error of nng. Any thread. */
int tls_engine_register(void);

/**
 * Makes the configuration of a listener: each connection takes the identity's current context, and is counted there.
 *
 * @ret_config  give it back with nng_tls_config_free()
 * Returns: 0, or an error of nng
 */
int tls_engine_listener_config(struct tls_identity *identity, nng_tls_config **ret_config);

/** Makes the configuration with which a server calls itself: it shows the listener's certificate, and takes any. */
int tls_engine_self_config(struct tls_identity *identity, nng_tls_config **ret_config);

#endif
