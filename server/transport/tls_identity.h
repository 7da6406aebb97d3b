#ifndef HERALD_TRANSPORT_TLS_IDENTITY_H
#define HERALD_TRANSPORT_TLS_IDENTITY_H

#include "herald/error.h"
#include "server/auth/auth_settings.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/*
 * What a TLS listener shows and whom it lets in: certificate, key and the clients' CA, from the files of [tls]. Shared
 * by reference count between the listener, which reads changed files again, and what accepts its connections. A new
 * connection takes the context that is current; those that are open keep theirs.
 */
struct tls_identity;

/**
 * Reads the files.
 *
 * @ret_identity  set only on success; give it back with tls_identity_unref()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT: reason "NO_CERTIFICATE" (tls.cert_file is not set),
 * "READABLE_BY_OTHERS" (the key), "BAD_CERTIFICATE" (unreadable, no PEM, not fit for the key, not valid now) |
 *           HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code tls_identity_new(const struct auth_settings *settings, struct tls_identity **ret_identity,
                                  struct herald_error *reterr);
struct tls_identity *tls_identity_ref(struct tls_identity *identity);
/** NULL is allowed. */
void tls_identity_unref(struct tls_identity *identity);

/** The current context; the caller's share of it, to be given back with SSL_CTX_free(). Any thread. */
SSL_CTX *tls_identity_context(struct tls_identity *identity);
/** Reads the files again if one has changed. What is not good is logged once and not taken. One thread at a time. */
void tls_identity_reload(struct tls_identity *identity);

/** Notes a connection that was accepted; how many there were so far. Any thread. */
void tls_identity_note_accepted(struct tls_identity *identity);
unsigned long tls_identity_accepted_count(const struct tls_identity *identity);

/** Settings that hold for every context of ours, of servers and clients. False: libssl failed. */
bool tls_context_harden(SSL_CTX *context);

#endif
