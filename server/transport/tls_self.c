#include "server/transport/tls_self.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define NAME "herald-watchdog"

static bool fill(X509 *certificate, EVP_PKEY *key) {
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)NAME, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL &&
           ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z") ==
               1 && /* RFC 5280: it has no end */
           X509_set_pubkey(certificate, key) == 1 &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

bool tls_self_make(struct tls_self *self) {
    self->key = EVP_EC_gen("P-256");
    self->certificate = X509_new();
    return self->key && self->certificate && fill(self->certificate, self->key);
}

void tls_self_free(struct tls_self *self) {
    EVP_PKEY_free(self->key);
    X509_free(self->certificate);
    *self = (struct tls_self){0};
}

bool tls_self_use(const struct tls_self *self, SSL_CTX *context) {
    return SSL_CTX_use_certificate(context, self->certificate) == 1 && SSL_CTX_use_PrivateKey(context, self->key) == 1;
}

bool tls_self_is(const struct tls_self *self, const X509 *certificate) {
    return X509_cmp(certificate, self->certificate) == 0;
}

static int verify(X509_STORE_CTX *check, void *user) {
    const X509 *certificate = X509_STORE_CTX_get0_cert(check);
    if (certificate && tls_self_is(user, certificate)) {
        X509_STORE_CTX_set_error(check, X509_V_OK);
        return 1;
    }
    return X509_verify_cert(check) == 1;
}

void tls_self_admit(struct tls_self *self, SSL_CTX *context) {
    SSL_CTX_set_cert_verify_callback(context, verify, self);
}
