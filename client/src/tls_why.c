/* Makes the client's part of a handshake of TLS 1.2 (RFC 5246, section 7.4) up to ServerHelloDone, and hangs up. */
#include "client/src/tls_why.h"

#include "client/base/clock.h"
#include "client/base/random.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_LIMIT_US  2000000u
#define MESSAGES_BYTES 65536u
#define CHAIN_MAX      16
#define NAMES_BYTES    80u

/* RFC 5246: types of records, types of handshake messages, an alert. */
#define RECORD_ALERT                21
#define RECORD_HANDSHAKE            22
#define MESSAGE_CERTIFICATE         11
#define MESSAGE_CERTIFICATE_REQUEST 13
#define MESSAGE_HELLO_DONE          14
#define ALERT_PROTOCOL_VERSION      70

struct look {
    const struct herald_tls_options *options;
    const char *name; /* that the certificate must have */
    struct herald_tls_why *why;
    uint64_t until_us;
    int fd;
    uint8_t messages[MESSAGES_BYTES]; /* of the handshake, from the server */
    size_t message_bytes;
    bool wants_certificate;
};

static void found(struct look *look, const char *what, const char *cure) {
    snprintf(look->why->what, sizeof(look->why->what), "%s", what);
    snprintf(look->why->cure, sizeof(look->why->cure), "%s", cure);
}

/* ---- the connection ---- */

static bool wait_ready(const struct look *look, short events) {
    struct pollfd ready = {.fd = look->fd, .events = events};
    uint64_t now_us = herald_monotonic_us();
    return now_us < look->until_us && poll(&ready, 1, (int)((look->until_us - now_us) / 1000) + 1) == 1;
}

/* Returns 0, or an error number. */
static int connect_socket(struct look *look, const char *address, const char *port) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    struct addrinfo *found_address = NULL;
    int failure = 0;
    socklen_t bytes = sizeof(failure);
    if (getaddrinfo(address, port, &hints, &found_address) != 0) {
        return EHOSTUNREACH;
    }
    look->fd = socket(found_address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (look->fd < 0 || connect(look->fd, found_address->ai_addr, found_address->ai_addrlen) != 0) {
        failure = errno;
    }
    freeaddrinfo(found_address);
    if (failure == EINPROGRESS) {
        if (!wait_ready(look, POLLOUT)) {
            return ETIMEDOUT;
        }
        (void)getsockopt(look->fd, SOL_SOCKET, SO_ERROR, &failure, &bytes);
    }
    return failure;
}

static bool read_bytes(const struct look *look, uint8_t *to, size_t bytes) {
    while (bytes > 0) {
        ssize_t count = recv(look->fd, to, bytes, 0);
        if (count > 0) {
            to += count;
            bytes -= (size_t)count;
        } else if (count == 0 || (errno != EAGAIN && errno != EINTR) || !wait_ready(look, POLLIN)) {
            return false;
        }
    }
    return true;
}

/* ---- ClientHello ---- */

static uint8_t *put16(uint8_t *to, size_t number) {
    to[0] = (uint8_t)(number >> 8);
    to[1] = (uint8_t)number;
    return to + 2;
}

static uint8_t *put_list(uint8_t *to, const uint16_t *numbers, size_t count) {
    to = put16(to, 2 * count);
    for (size_t i = 0; i < count; i++) {
        to = put16(to, numbers[i]);
    }
    return to;
}

static bool is_address(const char *name) {
    return strchr(name, ':') || name[strspn(name, "0123456789.")] == '\0';
}

/* An extension whose content is a list of numbers. */
static uint8_t *put_extension(uint8_t *to, unsigned type, const uint16_t *numbers, size_t count) {
    to = put16(to, type);
    to = put16(to, 2 + 2 * count);
    return put_list(to, numbers, count);
}

static uint8_t *put_extensions(uint8_t *to, const char *name) {
    static const uint16_t GROUPS[] = {0x001d, 0x0017, 0x0018, 0x0019};
    /* With Ed25519: a server with such a key has to show its certificate. */
    static const uint16_t SIGNATURES[] = {0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804,
                                          0x0805, 0x0806, 0x0401, 0x0501, 0x0601};
    uint8_t *length = to;
    size_t name_bytes = strlen(name);
    to += 2;
    if (!is_address(name) && name_bytes < 256) {
        to = put16(to, 0); /* server_name */
        to = put16(to, name_bytes + 5);
        to = put16(to, name_bytes + 3);
        *to++ = 0;
        to = put16(to, name_bytes);
        memcpy(to, name, name_bytes);
        to += name_bytes;
    }
    to = put_extension(to, 10, GROUPS, sizeof(GROUPS) / sizeof(*GROUPS));
    to = put16(to, 11); /* ec_point_formats: uncompressed */
    to = put16(to, 2);
    to = put16(to, 0x0100);
    to = put_extension(to, 13, SIGNATURES, sizeof(SIGNATURES) / sizeof(*SIGNATURES));
    (void)put16(length, (size_t)(to - length) - 2);
    return to;
}

static bool send_hello(const struct look *look) {
    static const uint16_t CIPHERS[] = {0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
                                       0xc023, 0xc027, 0xc009, 0xc013, 0x009c, 0x00ff};
    uint8_t hello[1024], *to = hello;
    to = put16(to, RECORD_HANDSHAKE << 8 | 3);
    *to++ = 1;
    uint8_t *record_length = to;
    to += 2;
    *to++ = 1; /* client_hello */
    *to++ = 0;
    uint8_t *message_length = to;
    to = put16(to + 2, 0x0303);
    herald_random_bytes(to, 32);
    to += 32;
    *to++ = 0; /* no session */
    to = put_list(to, CIPHERS, sizeof(CIPHERS) / sizeof(*CIPHERS));
    to = put16(to, 0x0100); /* no compression */
    to = put_extensions(to, look->name);
    (void)put16(record_length, (size_t)(to - record_length) - 2);
    (void)put16(message_length, (size_t)(to - message_length) - 2);
    return send(look->fd, hello, (size_t)(to - hello), MSG_NOSIGNAL) == to - hello;
}

/* ---- the server's messages ---- */

static size_t number24(const uint8_t *at) {
    return (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
}

static void judge_alert(struct look *look, const uint8_t *alert) {
    char text[64];
    if (alert[1] == ALERT_PROTOCOL_VERSION) {
        found(look, "the server speaks no TLS 1.2, and nng's clients nothing else", "allow TLS 1.2 at the server");
        return;
    }
    snprintf(text, sizeof(text), "the server ended the TLS handshake with alert %u", alert[1]);
    found(look, text, "see the server's log, or what stands between");
}

/* Reads one record of the handshake. False: there is none, and look->why may say why. */
static bool read_record(struct look *look) {
    uint8_t head[5], alert[2];
    if (!read_bytes(look, head, sizeof(head))) {
        found(look, "the server hung up, or fell silent, during the TLS handshake",
              "see the server's log; the port may be another program's");
        return false;
    }
    size_t bytes = (size_t)head[3] << 8 | head[4];
    if (head[0] == RECORD_ALERT && bytes == sizeof(alert) && read_bytes(look, alert, sizeof(alert))) {
        judge_alert(look, alert);
        return false;
    }
    if (head[0] != RECORD_HANDSHAKE || head[1] != 3) {
        found(look, "what listens there speaks no TLS",
              "write tcp:// if it is a Herald without TLS, or correct the port");
        return false;
    }
    if (bytes > sizeof(look->messages) - look->message_bytes ||
        !read_bytes(look, look->messages + look->message_bytes, bytes)) {
        return false;
    }
    look->message_bytes += bytes;
    return true;
}

/* Finds a message. NULL: it has not come yet. */
static const uint8_t *find_handshake(const struct look *look, unsigned type, size_t *ret_bytes) {
    for (size_t at = 0; at + 4 <= look->message_bytes;) {
        size_t bytes = number24(look->messages + at + 1);
        if (at + 4 + bytes > look->message_bytes) {
            return NULL;
        }
        if (look->messages[at] == type) {
            *ret_bytes = bytes;
            return look->messages + at + 4;
        }
        at += 4 + bytes;
    }
    return NULL;
}

static bool read_handshake(struct look *look) {
    size_t bytes = 0;
    while (!find_handshake(look, MESSAGE_HELLO_DONE, &bytes)) {
        if (!read_record(look)) {
            return false;
        }
    }
    look->wants_certificate = find_handshake(look, MESSAGE_CERTIFICATE_REQUEST, &bytes) != NULL;
    return true;
}

/* ---- the certificates ---- */

static STACK_OF(X509) * read_chain(const struct look *look) {
    size_t bytes = 0;
    const uint8_t *at = find_handshake(look, MESSAGE_CERTIFICATE, &bytes);
    STACK_OF(X509) *chain = sk_X509_new_null();
    if (!at || !chain || bytes < 3) {
        return chain;
    }
    const uint8_t *end = at + bytes;
    at += 3;
    while (end - at >= 3 && sk_X509_num(chain) < CHAIN_MAX) {
        size_t count = number24(at);
        const unsigned char *der = at + 3;
        X509 *certificate = count <= (size_t)(end - at) - 3 ? d2i_X509(NULL, &der, (long)count) : NULL;
        if (!certificate || sk_X509_push(chain, certificate) == 0) {
            X509_free(certificate);
            return chain;
        }
        at += 3 + count;
    }
    return chain;
}

/* Lists the names that a certificate is for. False: it has no subjectAltName. */
static bool list_names(const X509 *certificate, char ret_names[NAMES_BYTES]) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    ret_names[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && used < NAMES_BYTES; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            used += (size_t)snprintf(ret_names + used, NAMES_BYTES - used, "%s%.*s", used ? ", " : "",
                                     ASN1_STRING_length(name->d.dNSName),
                                     (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        }
    }
    bool any = names != NULL;
    GENERAL_NAMES_free(names);
    return any;
}

static bool judge_key(struct look *look, X509 *certificate) {
    int kind = EVP_PKEY_base_id(X509_get0_pubkey(certificate));
    if (kind == EVP_PKEY_RSA || kind == EVP_PKEY_EC) {
        return false;
    }
    char text[96];
    snprintf(text, sizeof(text), "its certificate has a key of a kind that nng's TLS cannot use (%s)",
             OBJ_nid2sn(kind));
    found(look, text, "give the server a certificate with an ECDSA key (P-256) or an RSA key");
    return true;
}

static void judge_trust(struct look *look, int failure) {
    char text[HERALD_TLS_WHY_BYTES], cure[HERALD_TLS_WHY_BYTES];
    if (failure == X509_V_ERR_CERT_HAS_EXPIRED) {
        found(look, "its certificate, or one of those above it, has expired", "renew the server's certificate");
    } else if (failure == X509_V_ERR_CERT_NOT_YET_VALID) {
        found(look, "its certificate is not valid yet", "set the clocks right, or wait");
    } else if (failure == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
               failure == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
               failure == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || failure == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
               failure == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN) {
        snprintf(cure, sizeof(cure),
                 "put the missing intermediate certificate into the server's cert_file, or its CA into \"%.80s\"",
                 look->options->ca_file);
        found(look, "its certificate comes from an unknown issuer, or without the intermediate certificate", cure);
    } else {
        snprintf(text, sizeof(text), "its certificate is not trusted: %s", X509_verify_cert_error_string(failure));
        found(look, text, "give the server another certificate");
    }
}

/* False: it is not trusted, and look->why says why. */
static bool check_trust(struct look *look, X509 *certificate, STACK_OF(X509) * chain) {
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    bool trusted = true;
    if (store && check && X509_STORE_load_file(store, look->options->ca_file) == 1 &&
        X509_STORE_CTX_init(check, store, certificate, chain) == 1 &&
        X509_STORE_CTX_set_default(check, "ssl_server") == 1 && X509_verify_cert(check) != 1) {
        trusted = false;
        judge_trust(look, X509_STORE_CTX_get_error(check));
    }
    X509_STORE_CTX_free(check);
    X509_STORE_free(store);
    return trusted;
}

static bool check_name(struct look *look, X509 *certificate) {
    char names[NAMES_BYTES], text[HERALD_TLS_WHY_BYTES];
    const unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    if ((is_address(look->name) && X509_check_ip_asc(certificate, look->name, 0) == 1) ||
        X509_check_host(certificate, look->name, 0, flags, NULL) == 1) {
        return true;
    }
    if (!list_names(certificate, names)) {
        char cure[HERALD_TLS_WHY_BYTES];
        snprintf(text, sizeof(text),
                 "its certificate names no host: it has no subjectAltName, and a common name (CN) does not count");
        snprintf(cure, sizeof(cure), "renew the server's certificate with subjectAltName=DNS:%.60s", look->name);
        found(look, text, cure);
        return false;
    }
    snprintf(text, sizeof(text), "its certificate is for another name (%s), not for %.60s",
             *names ? names : "an address", look->name);
    found(look, text,
          "call it by the name in its certificate, set server_name, or renew the certificate with this name");
    return false;
}

static void judge_chain(struct look *look, STACK_OF(X509) * chain) {
    X509 *certificate = sk_X509_value(chain, 0);
    if (!certificate || judge_key(look, certificate) || !check_trust(look, certificate, chain) ||
        !check_name(look, certificate)) {
        return;
    }
    if (look->wants_certificate && !look->options->cert_file) {
        found(look, "the server wants a client's certificate, and the channel has none",
              "set cert_file and key_file of options.tls");
    }
}

static void look_at(struct look *look, const char *address, const char *port) {
    char text[96];
    int failure = connect_socket(look, address, port);
    if (failure == ECONNREFUSED) {
        found(look, "nobody listens there", "");
    } else if (failure != 0) {
        snprintf(text, sizeof(text), "it cannot be reached: %s", strerror(failure));
        found(look, text, "");
    } else if (send_hello(look) && read_handshake(look)) {
        STACK_OF(X509) *chain = read_chain(look);
        judge_chain(look, chain);
        sk_X509_pop_free(chain, X509_free);
    }
}

static enum herald_tls_names names_of(const X509 *certificate) {
    if (!certificate) {
        return HERALD_TLS_NAMES_NOT_SHOWN;
    }
    return X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0 ? HERALD_TLS_NAMES_SOME
                                                                           : HERALD_TLS_NAMES_NONE;
}

static struct look *look_new(const struct herald_tls_options *options, const char *host, struct herald_tls_why *why) {
    struct look *look = calloc(1, sizeof(*look));
    memset(why, 0, sizeof(*why));
    if (look) {
        look->options = options;
        look->name = options->server_name ? options->server_name : host;
        look->why = why;
        look->until_us = herald_monotonic_us() + LOOK_LIMIT_US;
        look->fd = -1;
    }
    return look;
}

static void look_free(struct look *look) {
    if (look->fd >= 0) {
        (void)close(look->fd);
    }
    free(look);
    ERR_clear_error();
}

void herald_tls_look_into(const struct herald_tls_options *options, const char *host, const char *address,
                          const char *port, struct herald_tls_why *ret_why) {
    struct look *look = look_new(options, host, ret_why);
    if (look) {
        look_at(look, address, port);
        look_free(look);
    }
}

enum herald_tls_names herald_tls_look_at_names(const struct herald_tls_options *options, const char *host,
                                               const char *address, const char *port) {
    struct herald_tls_why why;
    struct look *look = look_new(options, host, &why);
    enum herald_tls_names names = HERALD_TLS_NAMES_NOT_SHOWN;
    if (!look) {
        return names;
    }
    if (connect_socket(look, address, port) == 0 && send_hello(look) && read_handshake(look)) {
        STACK_OF(X509) *chain = read_chain(look);
        names = names_of(sk_X509_value(chain, 0));
        sk_X509_pop_free(chain, X509_free);
    }
    look_free(look);
    return names;
}
