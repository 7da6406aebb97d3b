#include "server/transport/tls_identity.h"

#include "server/auth/key_file.h"
#include "server/transport/file_state.h"
#include "server/transport/tls_self.h"
#include "server/transport/transport_log.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CERT_FILE, KEY_FILE, CA_FILE, FILES };

struct tls_identity {
    atomic_uint shares;
    atomic_bool refused; /* a file is not good now */
    char *paths[FILES];  /* CA_FILE: NULL if any client may connect */
    char *trust_path;    /* of tls.ca_file: what Herald's own clients trust; NULL: not set */
    struct file_state states[FILES];
    struct tls_self self;    /* the watchdog's */
    atomic_ulong generation; /* of the context: 1, 2, … */
    pthread_mutex_t lock;    /* of context */
    SSL_CTX *context;
};

/* ---- errors ---- */

/* The first error in libssl's queue for this thread, as text; empties the queue. */
static const char *take_reason(void) {
    unsigned long code = ERR_get_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text ? text : "not readable as PEM";
}

static enum herald_code bad_certificate(const char *path, const char *what, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_BAD_CERTIFICATE, "%s: %s", path, what);
}

/* ---- making a context ---- */

/* No tickets and no sessions: each connection makes a full handshake, so a reloaded certificate or CA holds for it. */
bool tls_context_harden(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 && SSL_CTX_set_num_tickets(context, 0) == 1;
}

/* A server has no terminal at which somebody could type a pass phrase. */
static int no_pass_phrase(char *buffer, int bytes, int writing, void *user) {
    (void)buffer;
    (void)bytes;
    (void)writing;
    (void)user;
    return -1;
}

static enum herald_code load_key(SSL_CTX *context, const char *path, struct herald_error *reterr) {
    FILE *file = NULL;
    enum herald_code code = auth_secret_open(path, &file, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    (void)setvbuf(file, NULL, _IONBF, 0); /* leaves no copy of the key in a buffer */
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, no_pass_phrase, NULL);
    (void)fclose(file);
    if (!key) {
        return bad_certificate(path, "holds no private key in PEM without a pass phrase", reterr);
    }
    bool fits = SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    return fits ? HERALD_OK : bad_certificate(path, "the private key is not the certificate's", reterr);
}

static enum herald_code check_dates(const SSL_CTX *context, const char *path, struct herald_error *reterr) {
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        return bad_certificate(path, "the certificate has expired", reterr);
    }
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        return bad_certificate(path, "the certificate is not valid yet", reterr);
    }
    return HERALD_OK;
}

static enum herald_code load_client_ca(SSL_CTX *context, struct tls_identity *identity, struct herald_error *reterr) {
    const char *path = identity->paths[CA_FILE];
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (!names || SSL_CTX_load_verify_file(context, path) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return bad_certificate(path, take_reason(), reterr);
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    tls_self_admit(&identity->self, context);
    return HERALD_OK;
}

static enum herald_code fill_tls_context(SSL_CTX *context, struct tls_identity *identity, struct herald_error *reterr) {
    char *const *paths = identity->paths;
    if (!tls_context_harden(context)) {
        return herald_error_no_memory(reterr, "the certificate");
    }
    if (SSL_CTX_use_certificate_chain_file(context, paths[CERT_FILE]) != 1) {
        return bad_certificate(paths[CERT_FILE], take_reason(), reterr);
    }
    enum herald_code code = load_key(context, paths[KEY_FILE], reterr);
    if (code == HERALD_OK) {
        code = check_dates(context, paths[CERT_FILE], reterr);
    }
    if (code == HERALD_OK && paths[CA_FILE]) {
        code = load_client_ca(context, identity, reterr);
    }
    return code;
}

static enum herald_code make_tls_context(struct tls_identity *identity, SSL_CTX **ret_context,
                                         struct herald_error *reterr) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) {
        return herald_error_no_memory(reterr, "the certificate");
    }
    enum herald_code code = fill_tls_context(context, identity, reterr);
    ERR_clear_error();
    if (code == HERALD_OK) {
        *ret_context = context;
    } else {
        SSL_CTX_free(context);
    }
    return code;
}

enum herald_code tls_ca_check(const char *path, struct herald_error *reterr) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) {
        return herald_error_no_memory(reterr, "the certificates of %s", path);
    }
    ERR_clear_error();
    bool good = SSL_CTX_load_verify_file(context, path) == 1;
    enum herald_code code = good ? HERALD_OK : bad_certificate(path, take_reason(), reterr);
    SSL_CTX_free(context);
    return code;
}

/* ---- life ---- */

static bool copy_paths(struct tls_identity *identity, const struct auth_settings *settings) {
    const char *key_file = *settings->tls_key_file ? settings->tls_key_file : settings->tls_cert_file;
    identity->paths[CERT_FILE] = strdup(settings->tls_cert_file);
    identity->paths[KEY_FILE] = strdup(key_file);
    if (*settings->tls_ca_file && !(identity->trust_path = strdup(settings->tls_ca_file))) {
        return false;
    }
    if (*settings->tls_client_ca_file && !(identity->paths[CA_FILE] = strdup(settings->tls_client_ca_file))) {
        return false;
    }
    return identity->paths[CERT_FILE] && identity->paths[KEY_FILE];
}

enum herald_code tls_identity_new(const struct auth_settings *settings, struct tls_identity **ret_identity,
                                  struct herald_error *reterr) {
    if (!*settings->tls_cert_file) {
        return herald_error_set(reterr, HERALD_REASON_NO_CERTIFICATE,
                                "a tls+tcp:// listener needs a certificate: set cert_file and key_file under [tls] "
                                "(HERALD_TLS_CERT_FILE, HERALD_TLS_KEY_FILE)");
    }
    struct tls_identity *identity = calloc(1, sizeof(*identity));
    if (!identity) {
        return herald_error_no_memory(reterr, "the certificate");
    }
    atomic_init(&identity->shares, 1);
    atomic_init(&identity->generation, 1);
    pthread_mutex_init(&identity->lock, NULL);
    bool good = copy_paths(identity, settings) && tls_self_make(&identity->self);
    enum herald_code code = good ? HERALD_OK : herald_error_no_memory(reterr, "the certificate");
    for (int i = 0; code == HERALD_OK && i < FILES; i++) {
        if (identity->paths[i]) {
            identity->states[i] = file_state_read(identity->paths[i]);
        }
    }
    if (code == HERALD_OK) {
        code = make_tls_context(identity, &identity->context, reterr);
    }
    if (code == HERALD_OK) {
        *ret_identity = identity;
    } else {
        tls_identity_unref(identity);
    }
    return code;
}

struct tls_identity *tls_identity_ref(struct tls_identity *identity) {
    atomic_fetch_add(&identity->shares, 1);
    return identity;
}

void tls_identity_unref(struct tls_identity *identity) {
    if (!identity || atomic_fetch_sub(&identity->shares, 1) != 1) {
        return;
    }
    for (int i = 0; i < FILES; i++) {
        free(identity->paths[i]);
    }
    free(identity->trust_path);
    SSL_CTX_free(identity->context);
    tls_self_free(&identity->self);
    pthread_mutex_destroy(&identity->lock);
    free(identity);
}

SSL_CTX *tls_identity_context(struct tls_identity *identity) {
    pthread_mutex_lock(&identity->lock);
    SSL_CTX *context = identity->context;
    (void)SSL_CTX_up_ref(context);
    pthread_mutex_unlock(&identity->lock);
    return context;
}

SSL_CTX *tls_identity_self_context(struct tls_identity *identity) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context || !tls_context_harden(context) || !tls_self_use(&identity->self, context)) {
        SSL_CTX_free(context);
        ERR_clear_error();
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    return context;
}

/* ---- doubts ---- */

/* True when clients that trust @path alone cannot verify the certificate with the chain that is sent along. */
static bool lacks_issuer(SSL_CTX *context, const char *path) {
    STACK_OF(X509) *chain = NULL;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    (void)SSL_CTX_get0_chain_certs(context, &chain);
    bool lacks = store && check && X509_STORE_load_file(store, path) == 1 &&
                 X509_STORE_CTX_init(check, store, SSL_CTX_get0_certificate(context), chain) == 1 &&
                 X509_verify_cert(check) != 1;
    X509_STORE_CTX_free(check);
    X509_STORE_free(store);
    ERR_clear_error();
    return lacks;
}

static bool names_hosts(const X509 *certificate) {
    return X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0;
}

static void warn(const struct tls_identity *identity, const char *what) {
    log_emit(&LOG_TLS_DOUBTFUL, log_str("file", identity->paths[CERT_FILE]), log_str("what", what), LOG_END);
}

void tls_identity_warn(struct tls_identity *identity) {
    SSL_CTX *context = tls_identity_context(identity);
    X509 *certificate = SSL_CTX_get0_certificate(context);
    int kind = EVP_PKEY_base_id(X509_get0_pubkey(certificate));
    if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_EC) {
        warn(identity, "its key is of a kind that clients with nng's own TLS cannot use (such as Ed25519): take ECDSA "
                       "P-256 or RSA");
    }
    if (!names_hosts(certificate)) {
        warn(identity, "it has no subjectAltName, and clients do not take names from elsewhere (RFC 9525)");
    }
    if (identity->trust_path && lacks_issuer(context, identity->trust_path)) {
        warn(identity,
             "it cannot be verified with [tls] ca_file and the certificates that stand behind it in cert_file: "
             "add the missing intermediate to cert_file");
    }
    SSL_CTX_free(context);
}

void tls_identity_reload(struct tls_identity *identity, bool again) {
    SSL_CTX *fresh = NULL;
    struct herald_error error;
    bool changed = again;
    for (int i = 0; i < FILES; i++) {
        changed |= identity->paths[i] && file_state_changed(&identity->states[i], identity->paths[i]);
    }
    if (!changed) {
        return;
    }
    if (make_tls_context(identity, &fresh, &error) != HERALD_OK) {
        atomic_store(&identity->refused, true);
        log_emit(&LOG_TLS_REFUSED, log_str("file", identity->paths[CERT_FILE]), log_error(&error), LOG_END);
        return;
    }
    pthread_mutex_lock(&identity->lock);
    SSL_CTX *old = identity->context;
    identity->context = fresh;
    pthread_mutex_unlock(&identity->lock);
    atomic_fetch_add(&identity->generation, 1);
    SSL_CTX_free(old);
    atomic_store(&identity->refused, false);
    log_emit(&LOG_TLS_RELOADED, log_str("file", identity->paths[CERT_FILE]), LOG_END);
    tls_identity_warn(identity);
}

/* ---- peers ---- */

static int64_t end_of(const X509 *certificate) {
    struct tm end;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) {
        return 0;
    }
    return (int64_t)timegm(&end);
}

/* Verifies a peer's certificate with the CA file as it is now. */
static bool verifies(SSL_CTX *context, SSL *ssl, X509 *certificate) {
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    bool good =
        check &&
        X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(context), certificate, SSL_get_peer_cert_chain(ssl)) == 1 &&
        X509_STORE_CTX_set_default(check, "ssl_client") == 1 && X509_verify_cert(check) == 1;
    X509_STORE_CTX_free(check);
    ERR_clear_error();
    return good;
}

bool tls_identity_trusts(struct tls_identity *identity, SSL *ssl, struct tls_checked *checked) {
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    unsigned long generation = atomic_load(&identity->generation);
    if (!certificate) {
        return true;
    }
    if (checked->generation != generation) {
        SSL_CTX *context = tls_identity_context(identity);
        bool trusted = tls_self_is(&identity->self, certificate) || verifies(context, ssl, certificate);
        SSL_CTX_free(context);
        if (!trusted) {
            return false;
        }
        checked->generation = generation;
        checked->until_s = end_of(certificate);
    }
    return (int64_t)time(NULL) <= checked->until_s;
}

bool tls_identity_is_outdated(const struct tls_identity *identity) {
    return atomic_load(&identity->refused);
}
