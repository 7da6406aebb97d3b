#ifndef HERALD_TRANSPORT_TLS_SELF_H
#define HERALD_TRANSPORT_TLS_SELF_H

/*
 * The certificate with which a process calls its own TLS listener. It is made at the start and kept in memory: nobody
 * else has its key. So a listener lets it in beside the certificates of its client CA. Its own server certificate would
 * not do: that CA need not have issued it, and it is seldom good for clients.
 */
#include <openssl/ssl.h>
#include <stdbool.h>

struct tls_self {
    X509 *certificate;
    EVP_PKEY *key;
};

/** Makes key and certificate; the caller releases them with tls_self_free(), also after a failure. False: libcrypto failed */
bool tls_self_make(struct tls_self *self);
void tls_self_free(struct tls_self *self);
/** Lets a client's context show the certificate. False: libssl failed */
bool tls_self_use(const struct tls_self *self, SSL_CTX *context);
/** Lets a server's context take the certificate from clients; others are verified as before. @self must outlive it */
void tls_self_admit(struct tls_self *self, SSL_CTX *context);
/** True when @certificate is this one. */
bool tls_self_is(const struct tls_self *self, const X509 *certificate);

#endif
