/*
 * TLS of native calls: as the client library's over nng, a server must have a certificate of the channel's CA with the
 * right name. The files are read when the endpoint is opened; the client library opens a new one when they change.
 */
#include "server/outgoing/native_secure.h"

#include "client/src/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

struct secure {
    SSL_CTX *context;
    char *name; /* that the certificate must have */
};

/* ---- files ---- */

/* A key with a pass phrase is refused: nobody is there to type it. */
static int no_typed_phrase(char *buffer, int bytes, int writing, void *user) {
    (void)buffer;
    (void)bytes;
    (void)writing;
    (void)user;
    return -1;
}

static bool trust_ca(SSL_CTX *context, const char *text) {
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *certificate;
    unsigned count = 0;
    while (bio != NULL && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        count += X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1;
        X509_free(certificate);
    }
    BIO_free(bio);
    return count > 0;
}

static bool use_own_chain(SSL_CTX *context, BIO *bio) {
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool good = certificate != NULL && SSL_CTX_use_certificate(context, certificate) == 1;
    X509_free(certificate);
    while (good && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        good = SSL_CTX_add1_chain_cert(context, certificate) == 1;
        X509_free(certificate);
    }
    return good;
}

static bool use_own(SSL_CTX *context, const char *certificate, const char *key) {
    BIO *chain_bio = BIO_new_mem_buf(certificate, -1), *key_bio = BIO_new_mem_buf(key, -1);
    EVP_PKEY *own = key_bio != NULL ? PEM_read_bio_PrivateKey(key_bio, NULL, no_typed_phrase, NULL) : NULL;
    bool good = own != NULL && chain_bio != NULL && use_own_chain(context, chain_bio) &&
                SSL_CTX_use_PrivateKey(context, own) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(own);
    BIO_free(chain_bio);
    BIO_free(key_bio);
    return good;
}

static enum herald_code refuse_file(const char *path, const char *what, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_TLS_FILE_REFUSED, "%s \"%s\" is not what it should be: PEM is needed",
                            what, path);
}

static enum herald_code load_secure_ca(SSL_CTX *context, const char *path, struct herald_error *reterr) {
    char *text;
    enum herald_code code = herald_file_read(path, "the CA file", false, &text, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    bool good = trust_ca(context, text);
    herald_secret_free(text);
    return good ? HERALD_OK : refuse_file(path, "the CA file", reterr);
}

static enum herald_code load_secure_own(SSL_CTX *context, const struct herald_tls_options *options,
                                        struct herald_error *reterr) {
    char *certificate, *key = NULL;
    enum herald_code code = herald_file_read(options->cert_file, "the certificate file", false, &certificate, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = herald_file_read(options->key_file, "the key file", true, &key, reterr);
    if (code == HERALD_OK && !use_own(context, certificate, key)) {
        code = refuse_file(options->cert_file, "the certificate, or its key,", reterr);
    }
    herald_secret_free(key);
    herald_secret_free(certificate);
    return code;
}

/* ---- life ---- */

/* As the servers' own contexts: TLS 1.2 at least, and each connection makes a full handshake. */
static SSL_CTX *make_context(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return context;
}

enum herald_code secure_new(const struct herald_tls_options *options, const char *host, struct secure **ret_secure,
                            struct herald_error *reterr) {
    struct secure *secure = calloc(1, sizeof(*secure));
    if (secure == NULL) {
        return herald_error_no_memory(reterr, "TLS to %s", host);
    }
    secure->context = make_context();
    secure->name = strdup(options->server_name != NULL ? options->server_name : host);
    enum herald_code code = secure->context != NULL && secure->name != NULL
                                ? load_secure_ca(secure->context, options->ca_file, reterr)
                                : herald_error_no_memory(reterr, "TLS to %s", host);
    if (code == HERALD_OK && options->cert_file != NULL) {
        code = load_secure_own(secure->context, options, reterr);
    }
    ERR_clear_error();
    if (code != HERALD_OK) {
        secure_free(secure);
        return code;
    }
    *ret_secure = secure;
    return HERALD_OK;
}

void secure_free(struct secure *secure) {
    if (secure == NULL) {
        return;
    }
    SSL_CTX_free(secure->context);
    free(secure->name);
    free(secure);
}

/* ---- connections ---- */

void *secure_dial(const struct secure *secure) {
    static const struct native_tls_guard GUARD = {.may_go_on = NULL};
    SSL *ssl = SSL_new(secure->context);
    if (ssl != NULL && !native_tls_want_name(ssl, secure->name)) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (ssl == NULL) {
        ERR_clear_error();
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return native_tls_new(ssl, &GUARD);
}
