#include "server/store/redis/redis_tls.h"

#include <openssl/err.h>
#include <stdbool.h>

static bool is_set(const char *text) {
    return text && *text;
}

static enum herald_code bad_file(const char *path, const char *fallback, struct herald_error *reterr) {
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    enum herald_code result =
        herald_error_set(reterr, HERALD_REASON_BAD_CERTIFICATE, "%s: %s", path, text ? text : fallback);
    ERR_clear_error();
    return result;
}

static enum herald_code load_certificate(const struct redis_tls_options *options, SSL_CTX *context,
                                         struct herald_error *reterr) {
    if (SSL_CTX_use_certificate_chain_file(context, options->cert_file) != 1) {
        return bad_file(options->cert_file, "holds no certificate in PEM", reterr);
    }
    if (SSL_CTX_use_PrivateKey_file(context, options->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return bad_file(options->key_file, "holds no private key of the certificate", reterr);
    }
    return HERALD_OK;
}

static enum herald_code fill_context(const struct redis_tls_options *options, SSL_CTX *context,
                                     struct herald_error *reterr) {
    ERR_clear_error();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        return herald_error_no_memory(reterr, "TLS to Redis");
    }
    if (is_set(options->ca_file) && SSL_CTX_load_verify_file(context, options->ca_file) != 1) {
        return bad_file(options->ca_file, "holds no certificate in PEM", reterr);
    }
    if (!is_set(options->ca_file) && SSL_CTX_set_default_verify_paths(context) != 1) {
        return bad_file("the system's certificates", "cannot be read", reterr);
    }
    if (is_set(options->cert_file) != is_set(options->key_file)) {
        return herald_error_set(reterr, HERALD_REASON_BAD_CERTIFICATE,
                                "[redis] cert_file and key_file: one is set and the other is not");
    }
    return is_set(options->cert_file) ? load_certificate(options, context, reterr) : HERALD_OK;
}

enum herald_code redis_tls_context(const struct redis_tls_options *options, SSL_CTX **ret_context,
                                   struct herald_error *reterr) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) {
        ERR_clear_error();
        return herald_error_no_memory(reterr, "TLS to Redis");
    }
    enum herald_code code = fill_context(options, context, reterr);
    if (code != HERALD_OK) {
        SSL_CTX_free(context);
        return code;
    }
    *ret_context = context;
    return HERALD_OK;
}
