#ifndef HERALD_TRANSPORT_TLS_IDENTITY_H
#define HERALD_TRANSPORT_TLS_IDENTITY_H

/*
 * The identity of a TLS listener: its certificate and key, and the CA that client certificates must come from, read
 * from the files of [tls]. The listener, which reloads changed files, and the TLS engine share it by reference count. A
 * new connection uses the current context; open connections keep theirs.
 */
#include "herald/error.h"
#include "server/auth/auth_settings.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct tls_identity;

/**
 * Reads the files.
 *
 * @ret_identity  set only on success; the caller releases it with tls_identity_unref()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "NO_CERTIFICATE": tls.cert_file is not set; "UNREADABLE" or
 *           "READABLE_BY_OTHERS": the key's file; "BAD_CERTIFICATE": certificate, key or CA is unreadable or not PEM,
 *           the key is not the certificate's, or the certificate is not valid now) | HERALD_RESOURCE_EXHAUSTED (reason
 *           "OUT_OF_MEMORY")
 */
enum herald_code tls_identity_new(const struct auth_settings *settings, struct tls_identity **ret_identity,
                                  struct herald_error *reterr);
/** Checks that a file holds certificates in PEM, to trust servers by.
 *  Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_CERTIFICATE) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY) */
enum herald_code tls_ca_check(const char *path, struct herald_error *reterr);
struct tls_identity *tls_identity_ref(struct tls_identity *identity);
/** NULL is allowed. */
void tls_identity_unref(struct tls_identity *identity);

/** A reference to the current context; the caller releases it with SSL_CTX_free(). Any thread. */
SSL_CTX *tls_identity_context(struct tls_identity *identity);
/** A new context for calls of the listener itself: a client with the certificate of tls_self.h, which verifies nobody. The
 *  caller releases it. NULL: no memory. Any thread. */
SSL_CTX *tls_identity_self_context(struct tls_identity *identity);
/**
 * Asks whether the peer of a connection may stay: it showed no certificate, or one that is valid now and that the current
 * CA file trusts. A connection asks before each read and write; that is cheap unless the files were reloaded since.
 *
 * @checked  the connection's own, zeroed at first: what was found the last time
 * Returns: false: the connection must end. Any thread
 */
struct tls_checked {
    unsigned long generation; /* of the files; 0: not checked */
    int64_t until_s;          /* end of the certificate's validity, seconds since 1970 */
};
bool tls_identity_trusts(struct tls_identity *identity, SSL *ssl, struct tls_checked *checked);
/** Reloads the files if one has changed. A bad file is logged once, and the old context stays. One thread at a time.
 *  @again  also if none has changed */
void tls_identity_reload(struct tls_identity *identity, bool again);

/** Logs what clients will dislike about the certificate, though it can be served. */
void tls_identity_warn(struct tls_identity *identity);
/** True when the last reload found a bad file. Any thread. */
bool tls_identity_is_outdated(const struct tls_identity *identity);

/** Applies the options of every context of ours, servers' and clients'. False: libssl failed. */
bool tls_context_harden(SSL_CTX *context);

#endif
