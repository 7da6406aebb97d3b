#ifndef HERALD_TRANSPORT_TLS_ENGINE_H
#define HERALD_TRANSPORT_TLS_ENGINE_H

/*
 * A TLS engine for nng on OpenSSL, for servers. nng's own engine speaks TLS 1.2 only, and cannot change a listener's
 * certificate without closing its connections. Once registered, the engine serves every TLS connection of the process
 * that is configured later, including those that the client library dials.
 */
#include "server/transport/tls_identity.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

/** Registers the engine; it may be called again. Returns: 0, or an error of nng. Any thread. */
int tls_engine_register(void);

/**
 * Makes the configuration of a listener. Each connection uses the identity's current context.
 *
 * @ret_config  set only on success; the caller frees it with nng_tls_config_free()
 * Returns: 0 | an error of nng
 */
int tls_engine_listener_config(struct tls_identity *identity, nng_tls_config **ret_config);

/** Makes the configuration for a server's call of itself: it shows the certificate of tls_self.h and accepts any.
 *  As tls_engine_listener_config(). */
int tls_engine_self_config(struct tls_identity *identity, nng_tls_config **ret_config);

#endif
