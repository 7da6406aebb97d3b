/* A certificate that no client of the fakes can accept: for another name, signed by itself. */
#include "deploy/fakes/fakes_private.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define LIFE_S 86400

/* The text of a memory BIO, which is freed. NULL without memory. */
static char *take_pem(BIO *bio) {
    int bytes = (int)BIO_pending(bio);
    char *text = malloc((size_t)bytes + 1);
    if (text != NULL) {
        text[BIO_read(bio, text, bytes) == bytes ? bytes : 0] = '\0';
    }
    BIO_free(bio);
    return text;
}

static X509 *make_certificate(EVP_PKEY *key) {
    X509 *certificate = X509_new();
    if (certificate == NULL) {
        return NULL;
    }
    X509_NAME *name = X509_get_subject_name(certificate);
    bool made =
        X509_set_version(certificate, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -LIFE_S) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), LIFE_S) != NULL && X509_set_pubkey(certificate, key) == 1 &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"wrong.invalid", -1, -1, 0) == 1 &&
        X509_set_issuer_name(certificate, name) == 1 && X509_sign(certificate, key, EVP_sha256()) > 0;
    if (!made) {
        X509_free(certificate);
        certificate = NULL;
    }
    return certificate;
}

bool fakes_certificate(char **ret_key, char **ret_certificate) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key != NULL ? make_certificate(key) : NULL;
    BIO *key_pem = BIO_new(BIO_s_mem()), *certificate_pem = BIO_new(BIO_s_mem());
    bool written = certificate != NULL && key_pem != NULL && certificate_pem != NULL &&
                   PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                   PEM_write_bio_X509(certificate_pem, certificate) == 1;
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!written) {
        BIO_free(key_pem);
        BIO_free(certificate_pem);
        return false;
    }
    *ret_key = take_pem(key_pem);
    *ret_certificate = take_pem(certificate_pem);
    return *ret_key != NULL && *ret_certificate != NULL;
}
