/* Makes nng's TLS configuration from the files of the options. Key text is wiped before its memory is freed. */
#include "client/src/tls.h"

#include "client/src/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

atomic_bool herald_tls_engine_checks_names;

struct herald_tls {
    char *ca_file;
    char *cert_file;   /* NULL: none */
    char *key_file;    /* NULL without cert_file */
    char *server_name; /* NULL: the URL's host */
};

/* False: no memory. */
static bool copy_tls_option(const char *text, char **ret_copy) {
    *ret_copy = text ? strdup(text) : NULL;
    return !text || *ret_copy;
}

enum herald_code herald_tls_new(const struct herald_tls_options *options, struct herald_tls **ret_tls,
                                struct herald_error *reterr) {
    if (!options || !options->ca_file) {
        return herald_error_set(reterr, HERALD_REASON_TLS_OPTIONS_MISSING,
                                "a tls+tcp:// URL needs options.tls with a ca_file: whom to trust");
    }
    if (options->key_file && !options->cert_file) {
        return herald_error_set(reterr, HERALD_REASON_TLS_OPTIONS_MISSING,
                                "options.tls has a key_file and no cert_file: name the key's certificate");
    }
    struct herald_tls *tls = calloc(1, sizeof(*tls));
    const char *key_file = options->key_file ? options->key_file : options->cert_file;
    if (!tls || !copy_tls_option(options->ca_file, &tls->ca_file) ||
        !copy_tls_option(options->cert_file, &tls->cert_file) || !copy_tls_option(key_file, &tls->key_file) ||
        !copy_tls_option(options->server_name, &tls->server_name)) {
        herald_tls_free(tls);
        return herald_error_no_memory(reterr, "TLS options");
    }
    *ret_tls = tls;
    return HERALD_OK;
}

void herald_tls_free(struct herald_tls *tls) {
    if (!tls) {
        return;
    }
    free(tls->ca_file);
    free(tls->cert_file);
    free(tls->key_file);
    free(tls->server_name);
    free(tls);
}

static enum herald_code refused(const char *path, const char *what, int rv, struct herald_error *reterr) {
    if (rv == NNG_ENOMEM) {
        return herald_error_no_memory(reterr, "%s", path);
    }
    return herald_error_set(reterr, HERALD_REASON_TLS_FILE_REFUSED,
                            "%s \"%s\" is not what it should be: PEM is needed (%s)", what, path, nng_strerror(rv));
}

static enum herald_code load_ca(const struct herald_tls *tls, nng_tls_config *config, struct herald_error *reterr) {
    char *ca;
    enum herald_code code = herald_file_read(tls->ca_file, "the CA file", false, &ca, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    int rv = nng_tls_config_ca_chain(config, ca, NULL);
    herald_secret_free(ca);
    return rv == 0 ? HERALD_OK : refused(tls->ca_file, "the CA file", rv, reterr);
}

static enum herald_code load_own(const struct herald_tls *tls, nng_tls_config *config, struct herald_error *reterr) {
    char *cert, *key;
    enum herald_code code = herald_file_read(tls->cert_file, "the certificate file", false, &cert, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = herald_file_read(tls->key_file, "the key file", true, &key, reterr);
    if (code == HERALD_OK) {
        int rv = nng_tls_config_own_cert(config, cert, key, NULL);
        if (rv != 0) {
            code = refused(tls->cert_file, "the certificate, or its key,", rv, reterr);
        }
        herald_secret_free(key);
    }
    herald_secret_free(cert);
    return code;
}

enum herald_code herald_tls_load(const struct herald_tls *tls, const char *host, nng_tls_config **ret_config,
                                 struct herald_error *reterr) {
    nng_tls_config *config;
    int rv = nng_tls_config_alloc(&config, NNG_TLS_MODE_CLIENT);
    if (rv != 0) {
        return herald_error_set(reterr, HERALD_REASON_NO_TLS, "no TLS configuration: %s", nng_strerror(rv));
    }
    rv = nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED);
    if (rv == 0) { /* without a server name nng verifies no names */
        rv = nng_tls_config_server_name(config, tls->server_name ? tls->server_name : host);
    }
    enum herald_code code = HERALD_OK;
    if (rv != 0) {
        code = herald_error_set(reterr, HERALD_REASON_NO_TLS, "no TLS configuration: %s", nng_strerror(rv));
    }
    if (code == HERALD_OK) {
        code = load_ca(tls, config, reterr);
    }
    if (code == HERALD_OK && tls->cert_file) {
        code = load_own(tls, config, reterr);
    }
    if (code == HERALD_OK) {
        *ret_config = config;
    } else {
        nng_tls_config_free(config);
    }
    return code;
}

struct herald_tls_options herald_tls_options_of(const struct herald_tls *tls) {
    return (struct herald_tls_options){.ca_file = tls->ca_file,
                                       .cert_file = tls->cert_file,
                                       .key_file = tls->key_file,
                                       .server_name = tls->server_name};
}

static uint64_t stamp_of(const char *path, uint64_t seed) {
    struct stat status;
    if (!path || stat(path, &status) != 0) {
        return seed * 31;
    }
    seed = seed * 1000003 + (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
    return (seed * 1000003 + (uint64_t)status.st_size) * 1000003 + (uint64_t)status.st_ino;
}

uint64_t herald_tls_stamp(const struct herald_tls *tls) {
    return stamp_of(tls->ca_file, stamp_of(tls->cert_file, stamp_of(tls->key_file, 1)));
}
