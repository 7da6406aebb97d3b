#ifndef HERALD_OUTGOING_NATIVE_SECURE_H
#define HERALD_OUTGOING_NATIVE_SECURE_H

#include "herald/client.h"
#include "server/native/native_tls.h"

/* What the connections to an endpoint of TLS have in common. */
struct secure;

/**
 * Reads the files.
 *
 * @options  with a ca_file; key_file is set where cert_file is
 * @host     of the URL, which the certificate must name unless the options have a server_name
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (FILE_UNREADABLE, TLS_FILE_REFUSED, KEY_EXPOSED)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code secure_new(const struct herald_tls_options *options, const char *host, struct secure **ret_secure,
                            struct herald_error *reterr);
/** NULL is allowed. */
void secure_free(struct secure *secure);
/** Makes the layer of one connection, for native_stream_options.secure with native_tls_ops. NULL: no memory. Any thread. */
void *secure_dial(const struct secure *secure);

#endif
