/*
 * libssl between two buffers: it reads what was fed, which is the caller's and read to its end before the next feeding, and
 * writes to a buffer from which the stream takes.
 */
#include "server/native/native_tls.h"

#include "client/base/buffer.h"
#include "server/native/tls_records.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What the outgoing buffer keeps when it is empty. */
#define OUT_KEPT_BYTES 16384u

struct native_tls {
    SSL *ssl;
    struct native_tls_guard guard;
    const uint8_t *fed; /* not read yet */
    size_t fed_bytes;
    struct herald_buffer out;
    size_t out_at;
    struct herald_buffer early; /* to be sent once the handshake is done */
    struct tls_records records;
    bool failed;
};

/* ---- the BIO ---- */

static int tls_bio_write(BIO *bio, const char *data, size_t bytes, size_t *ret_bytes) {
    struct native_tls *tls = BIO_get_data(bio);
    *ret_bytes = 0;
    BIO_clear_retry_flags(bio);
    if (!herald_buffer_reserve(&tls->out, tls->out.count + bytes)) {
        return 0;
    }
    memcpy(tls->out.bytes + tls->out.count, data, bytes);
    tls->out.count += bytes;
    *ret_bytes = bytes;
    return 1;
}

static int tls_bio_read(BIO *bio, char *data, size_t bytes, size_t *ret_bytes) {
    struct native_tls *tls = BIO_get_data(bio);
    size_t count = bytes < tls->fed_bytes ? bytes : tls->fed_bytes;
    BIO_clear_retry_flags(bio);
    if (tls_records_are_too_many(&tls->records)) {
        count = 0; /* libssl stops */
        tls->failed = true;
    }
    *ret_bytes = count;
    if (count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(data, tls->fed, count);
    tls->fed += count;
    tls->fed_bytes -= count;
    return 1;
}

static long tls_bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static pthread_once_t tls_bio_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *tls_bio_method;

static void make_tls_bio_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "herald-stream");
    if (method != NULL && BIO_meth_set_write_ex(method, tls_bio_write) && BIO_meth_set_read_ex(method, tls_bio_read) &&
        BIO_meth_set_ctrl(method, tls_bio_control)) {
        tls_bio_method = method;
    }
}

/* ---- steps of libssl ---- */

static bool wants_more(const SSL *ssl, int result) {
    int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool write_records(struct native_tls *tls, const uint8_t *data, size_t bytes) {
    while (bytes > 0) {
        size_t written = 0;
        ERR_clear_error();
        if (SSL_write_ex(tls->ssl, data, bytes, &written) != 1) {
            tls->failed = true;
            return false;
        }
        data += written;
        bytes -= written;
    }
    return true;
}

/* Goes on with the handshake. True: it is done. */
static bool go_on_shaking(struct native_tls *tls) {
    if (tls->failed || SSL_is_init_finished(tls->ssl)) {
        return !tls->failed;
    }
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1) {
        tls->failed = !wants_more(tls->ssl, result) || tls->failed;
        ERR_clear_error();
        return false;
    }
    bool good = write_records(tls, tls->early.bytes, tls->early.count);
    herald_buffer_reset(&tls->early, 0);
    return good;
}

static bool tls_may_go_on(struct native_tls *tls) {
    const struct native_tls_guard *guard = &tls->guard;
    tls->failed = tls->failed || (guard->may_go_on != NULL && !guard->may_go_on(guard->user, tls->ssl));
    return !tls->failed;
}

/* ---- the layer ---- */

static bool feed_tls(void *secure, const uint8_t *data, size_t bytes) {
    struct native_tls *tls = secure;
    tls->fed = data;
    tls->fed_bytes = bytes;
    (void)go_on_shaking(tls);
    return !tls->failed;
}

static long read_plain_text(void *secure, uint8_t *ret_data, size_t room) {
    struct native_tls *tls = secure;
    size_t total = 0;
    if (!go_on_shaking(tls)) {
        return tls->failed ? -1 : 0;
    }
    if (!tls_may_go_on(tls)) {
        return -1;
    }
    while (total < room) {
        size_t count = 0;
        ERR_clear_error();
        int result = SSL_read_ex(tls->ssl, ret_data + total, room - total, &count);
        if (result != 1) {
            tls->failed = !wants_more(tls->ssl, result) || tls->failed; /* the end in order is an end, too */
            break;
        }
        total += count;
    }
    ERR_clear_error();
    return total > 0 ? (long)total : tls->failed ? -1 : 0;
}

static bool write_tls(void *secure, const uint8_t *data, size_t bytes) {
    struct native_tls *tls = secure;
    if (tls->failed) {
        return true; /* what libssl still says goes out first; the next feeding fails */
    }
    if (SSL_is_init_finished(tls->ssl)) {
        return tls_may_go_on(tls) && write_records(tls, data, bytes);
    }
    if (!herald_buffer_reserve(&tls->early, tls->early.count + bytes)) {
        return false;
    }
    memcpy(tls->early.bytes + tls->early.count, data, bytes);
    tls->early.count += bytes;
    return true;
}

static size_t take_tls(void *secure, uint8_t *ret_data, size_t room) {
    struct native_tls *tls = secure;
    (void)go_on_shaking(tls); /* who dials speaks first */
    size_t rest = tls->out.count - tls->out_at;
    size_t count = rest < room ? rest : room;
    if (count > 0) {
        memcpy(ret_data, tls->out.bytes + tls->out_at, count);
    }
    tls->out_at += count;
    if (tls->out_at == tls->out.count) {
        tls->out_at = 0;
        herald_buffer_reset(&tls->out, OUT_KEPT_BYTES);
    }
    return count;
}

/* Tells the peer that nothing follows, so that it can tell the end from a cut. */
static void end_tls(void *secure) {
    struct native_tls *tls = secure;
    if (!tls->failed && SSL_is_init_finished(tls->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(tls->ssl); /* writes close_notify */
        ERR_clear_error();
    }
}

static void free_tls(void *secure) {
    struct native_tls *tls = secure;
    SSL_free(tls->ssl);
    if (tls->guard.free != NULL) {
        tls->guard.free(tls->guard.user);
    }
    herald_buffer_reset(&tls->out, 0);
    herald_buffer_reset(&tls->early, 0);
    free(tls);
}

void *native_tls_new(SSL *ssl, const struct native_tls_guard *guard) {
    pthread_once(&tls_bio_once, make_tls_bio_method);
    struct native_tls *tls = calloc(1, sizeof(*tls));
    BIO *bio = ssl != NULL && tls_bio_method != NULL ? BIO_new(tls_bio_method) : NULL;
    if (tls == NULL || bio == NULL) {
        BIO_free(bio);
        SSL_free(ssl);
        if (guard->free != NULL) {
            guard->free(guard->user);
        }
        free(tls);
        ERR_clear_error();
        return NULL;
    }
    tls->ssl = ssl;
    tls->guard = *guard;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    tls_records_count(&tls->records, ssl);
    return tls;
}

const struct native_secure_ops native_tls_ops = {
    .feed = feed_tls, .read = read_plain_text, .write = write_tls, .take = take_tls, .end = end_tls, .free = free_tls};

bool native_tls_want_name(SSL *ssl, const char *name) {
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1) {
        return true;
    }
    ERR_clear_error();
    /* A certificate without subjectAltName has no names: RFC 9525, section 2. */
    X509_VERIFY_PARAM_set_hostflags(parameters,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}
