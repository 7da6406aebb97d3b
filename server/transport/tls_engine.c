/*
 * Between libssl and nng. nng calls a connection's functions under that connection's lock, and the BIO calls nng from
 * inside them. A function that needs more bytes or more room returns NNG_EAGAIN; nng calls it again when that has
 * changed. Nothing that a peer does returns NNG_ECLOSED, which tells nng that our own end was closed.
 */
#include "server/transport/tls_engine.h"

#include "client/src/tls.h"
#include "server/native/native_tls.h"
#include "server/native/tls_records.h"

#include <nng/supplemental/tls/engine.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct nng_tls_engine_config {
    nng_tls_mode mode;
    SSL_CTX *context;              /* own */
    struct tls_identity *identity; /* of a listener; NULL: connections use context */
    char *server_name;             /* that a client verifies; NULL: none */
};

struct nng_tls_engine_conn {
    SSL *ssl; /* NULL: conn_init() failed */
    bool broken;
    struct tls_identity *identity; /* of a listener's connection; NULL: a client's */
    struct tls_checked checked;
    struct tls_records records;
};

/* ---- the BIO between libssl and nng ---- */

static int bio_write(BIO *bio, const char *data, size_t bytes, size_t *ret_bytes) {
    size_t count = bytes;
    BIO_clear_retry_flags(bio);
    int failure = nng_tls_engine_send(BIO_get_data(bio), (const uint8_t *)data, &count);
    if (failure == NNG_EAGAIN) {
        BIO_set_retry_write(bio);
    }
    *ret_bytes = failure == 0 ? count : 0;
    return failure == 0;
}

static int bio_read(BIO *bio, char *data, size_t bytes, size_t *ret_bytes) {
    size_t count = bytes;
    BIO_clear_retry_flags(bio);
    int failure = nng_tls_engine_recv(BIO_get_data(bio), (uint8_t *)data, &count);
    if (failure == NNG_EAGAIN) {
        BIO_set_retry_read(bio);
    }
    *ret_bytes = failure == 0 ? count : 0;
    return failure == 0;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* nng sends by itself */
}

static BIO_METHOD *bio_method; /* made once, at registration */

static bool make_bio_method(void) {
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "nng");
    return bio_method && BIO_meth_set_write_ex(bio_method, bio_write) && BIO_meth_set_read_ex(bio_method, bio_read) &&
           BIO_meth_set_ctrl(bio_method, bio_control);
}

/* ---- connections ---- */

/* nng's error for an SSL_… function that failed. */
static int failure_of(nng_tls_engine_conn *conn, int result) {
    int error = SSL_get_error(conn->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return NNG_EAGAIN;
    }
    conn->broken = true;
    bool unverified = SSL_get_verify_result(conn->ssl) != X509_V_OK;
    ERR_clear_error();
    if (error == SSL_ERROR_SSL) {
        return unverified ? NNG_EPEERAUTH : NNG_ECRYPTO;
    }
    return error == SSL_ERROR_ZERO_RETURN ? NNG_ECONNSHUT : NNG_ECONNRESET;
}

static SSL *make_ssl(const nng_tls_engine_config *config) {
    if (!config->identity) {
        return SSL_new(config->context);
    }
    SSL_CTX *context = tls_identity_context(config->identity);
    SSL *ssl = SSL_new(context); /* takes a reference of its own */
    SSL_CTX_free(context);
    return ssl;
}

static int conn_init(nng_tls_engine_conn *conn, void *tls, nng_tls_engine_config *config) {
    BIO *bio = BIO_new(bio_method);
    conn->ssl = make_ssl(config);
    if (!conn->ssl || !bio || (config->server_name && !native_tls_want_name(conn->ssl, config->server_name))) {
        BIO_free(bio);
        ERR_clear_error();
        return NNG_ENOMEM;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(conn->ssl, bio, bio);
    tls_records_count(&conn->records, conn->ssl);
    if (config->identity) {
        conn->identity = tls_identity_ref(config->identity);
    }
    if (config->mode == NNG_TLS_MODE_SERVER) {
        SSL_set_accept_state(conn->ssl);
    } else {
        SSL_set_connect_state(conn->ssl);
    }
    return 0;
}

static void conn_fini(nng_tls_engine_conn *conn) {
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    tls_identity_unref(conn->identity);
    conn->identity = NULL;
}

static void conn_close(nng_tls_engine_conn *conn) {
    if (!conn->ssl || conn->broken || !SSL_is_init_finished(conn->ssl)) {
        return;
    }
    ERR_clear_error();
    (void)SSL_shutdown(conn->ssl); /* sends close_notify; the connection ends either way */
    ERR_clear_error();
}

static int conn_handshake(nng_tls_engine_conn *conn) {
    if (conn->broken) {
        return NNG_ECONNRESET;
    }
    ERR_clear_error();
    int result = SSL_do_handshake(conn->ssl);
    return result == 1 ? 0 : failure_of(conn, result);
}

/* True when the connection may go on. A peer whose certificate has expired, or is not trusted since the CA file changed,
 * gets nothing read and nothing written any more: nng closes its connection then. */
static bool connection_may_go_on(nng_tls_engine_conn *conn) {
    conn->broken = conn->broken || tls_records_are_too_many(&conn->records) ||
                   (conn->identity && !tls_identity_trusts(conn->identity, conn->ssl, &conn->checked));
    return !conn->broken;
}

static int conn_recv(nng_tls_engine_conn *conn, uint8_t *data, size_t *bytes) {
    if (!connection_may_go_on(conn)) {
        return NNG_ECONNRESET;
    }
    ERR_clear_error();
    int result = SSL_read_ex(conn->ssl, data, *bytes, bytes);
    return result == 1 ? 0 : failure_of(conn, result);
}

static int conn_send(nng_tls_engine_conn *conn, const uint8_t *data, size_t *bytes) {
    if (!connection_may_go_on(conn)) {
        return NNG_ECONNRESET;
    }
    ERR_clear_error();
    int result = SSL_write_ex(conn->ssl, data, *bytes, bytes);
    return result == 1 ? 0 : failure_of(conn, result);
}

static bool conn_verified(nng_tls_engine_conn *conn) {
    return conn->ssl && SSL_get0_peer_certificate(conn->ssl) && SSL_get_verify_result(conn->ssl) == X509_V_OK;
}

static nng_tls_engine_conn_ops CONN_OPS = {
    .size = sizeof(nng_tls_engine_conn),
    .init = conn_init,
    .fini = conn_fini,
    .close = conn_close,
    .handshake = conn_handshake,
    .recv = conn_recv,
    .send = conn_send,
    .verified = conn_verified,
};

/* ---- configurations ---- */

/* Passes an identity from alloc_config() to config_init(). nng_tls_config_alloc() has no argument for it. */
static _Thread_local struct tls_identity *given_identity;

static int config_init(nng_tls_engine_config *config, nng_tls_mode mode) {
    bool server = mode == NNG_TLS_MODE_SERVER;
    config->mode = mode;
    if (given_identity && !server) {
        config->context = tls_identity_self_context(given_identity);
        return config->context ? 0 : NNG_ENOMEM;
    }
    config->context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!config->context || !tls_context_harden(config->context)) {
        SSL_CTX_free(config->context);
        ERR_clear_error();
        return NNG_ENOMEM;
    }
    if (given_identity && server) {
        config->identity = tls_identity_ref(given_identity);
    }
    SSL_CTX_set_verify(config->context, server ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return 0;
}

static void config_fini(nng_tls_engine_config *config) {
    SSL_CTX_free(config->context);
    tls_identity_unref(config->identity);
    free(config->server_name);
}

static int config_server(nng_tls_engine_config *config, const char *name) {
    char *copy = name ? strdup(name) : NULL;
    if (name && !copy) {
        return NNG_ENOMEM;
    }
    free(config->server_name);
    config->server_name = copy;
    return 0;
}

static int config_auth(nng_tls_engine_config *config, nng_tls_auth_mode mode) {
    int verify = mode == NNG_TLS_AUTH_MODE_NONE       ? SSL_VERIFY_NONE
                 : mode == NNG_TLS_AUTH_MODE_OPTIONAL ? SSL_VERIFY_PEER
                                                      : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(config->context, verify, NULL);
    return 0;
}

static int config_ca_chain(nng_tls_engine_config *config, const char *certs, const char *crl) {
    X509_STORE *store = SSL_CTX_get_cert_store(config->context);
    unsigned count = 0;
    X509 *certificate;
    if (crl) {
        return NNG_ENOTSUP; /* clients are revoked by their keys in the callers file */
    }
    BIO *bio = BIO_new_mem_buf(certs, -1);
    while (bio && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        count += X509_STORE_add_cert(store, certificate) == 1;
        X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the text is an error of PEM_read_bio_X509() */
    return count > 0 ? 0 : NNG_ECRYPTO;
}

static bool use_chain(SSL_CTX *context, BIO *bio) {
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool good =
        certificate && SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_clear_chain_certs(context) == 1;
    X509_free(certificate);
    while (good && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        good = SSL_CTX_add1_chain_cert(context, certificate) == 1;
        X509_free(certificate);
    }
    return good;
}

static int config_own_cert(nng_tls_engine_config *config, const char *cert, const char *key, const char *pass) {
    BIO *cert_bio = BIO_new_mem_buf(cert, -1), *key_bio = BIO_new_mem_buf(key, -1);
    EVP_PKEY *own =
        key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, (void *)(uintptr_t)(pass ? pass : "")) : NULL;
    bool good = own && cert_bio && use_chain(config->context, cert_bio) &&
                SSL_CTX_use_PrivateKey(config->context, own) == 1 && SSL_CTX_check_private_key(config->context) == 1;
    EVP_PKEY_free(own);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    ERR_clear_error();
    return good ? 0 : NNG_ECRYPTO;
}

/* Versions below 1.2 are never enabled. */
static int config_version(nng_tls_engine_config *config, nng_tls_version lowest, nng_tls_version highest) {
    if (lowest > highest || highest < NNG_TLS_1_2) {
        return NNG_ENOTSUP;
    }
    bool set =
        SSL_CTX_set_min_proto_version(config->context, lowest <= NNG_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION) &&
        SSL_CTX_set_max_proto_version(config->context, highest == NNG_TLS_1_2 ? TLS1_2_VERSION : 0);
    return set ? 0 : NNG_ENOTSUP;
}

static nng_tls_engine_config_ops CONFIG_OPS = {
    .size = sizeof(nng_tls_engine_config),
    .init = config_init,
    .fini = config_fini,
    .server = config_server,
    .auth = config_auth,
    .ca_chain = config_ca_chain,
    .own_cert = config_own_cert,
    .version = config_version,
};

static const nng_tls_engine OUR_ENGINE = {
    .version = NNG_TLS_ENGINE_VERSION,
    .config_ops = &CONFIG_OPS,
    .conn_ops = &CONN_OPS,
    .name = "herald-openssl",
    .description = OPENSSL_VERSION_TEXT,
    .fips_mode = false,
};

/* ---- registration ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered = NNG_EINTERNAL;

static void register_once(void) {
    (void)nng_tls_engine_name(); /* initialises nng now; later it would replace our engine by its own */
    registered = make_bio_method() ? nng_tls_engine_register(&OUR_ENGINE) : NNG_ENOMEM;
    atomic_store(&herald_tls_engine_checks_names, registered == 0);
}

int tls_engine_register(void) {
    pthread_once(&once, register_once);
    return registered;
}

static int alloc_config(struct tls_identity *identity, nng_tls_mode mode, nng_tls_config **ret_config) {
    int failure = tls_engine_register();
    if (failure != 0) {
        return failure;
    }
    given_identity = identity;
    failure = nng_tls_config_alloc(ret_config, mode);
    given_identity = NULL;
    return failure;
}

int tls_engine_listener_config(struct tls_identity *identity, nng_tls_config **ret_config) {
    return alloc_config(identity, NNG_TLS_MODE_SERVER, ret_config);
}

int tls_engine_self_config(struct tls_identity *identity, nng_tls_config **ret_config) {
    return alloc_config(identity, NNG_TLS_MODE_CLIENT, ret_config);
}
