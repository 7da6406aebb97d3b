#include "tls_peer.h"

#include "certificates.h"
#include "cmocka_headers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A refusal shows as a time-out: nng goes on dialling in the background. */
#define CALL_TIMEOUT_MS 10000

static nng_tls_config *make_config(const struct tls_peer *peer) {
    nng_tls_config *config = NULL;
    char *ca = peer->ca ? certificate_text(peer->ca, ".pem") : NULL;
    assert_int_equal(nng_tls_config_alloc(&config, NNG_TLS_MODE_CLIENT), 0);
    assert_int_equal(nng_tls_config_auth_mode(config, ca ? NNG_TLS_AUTH_MODE_REQUIRED : NNG_TLS_AUTH_MODE_NONE), 0);
    if (ca) {
        assert_int_equal(nng_tls_config_ca_chain(config, ca, NULL), 0);
    }
    if (peer->server_name) {
        assert_int_equal(nng_tls_config_server_name(config, peer->server_name), 0);
    }
    if (peer->own) {
        char *own = certificate_text(peer->own, ".pem"), *key = certificate_text(peer->own, ".key");
        assert_int_equal(nng_tls_config_own_cert(config, own, key, NULL), 0);
        free(own);
        free(key);
    }
    free(ca);
    return config;
}

nng_socket tls_peer_open(const char *url, const struct tls_peer *peer) {
    nng_socket socket;
    nng_dialer dialer;
    nng_tls_config *config = make_config(peer);
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, CALL_TIMEOUT_MS), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, CALL_TIMEOUT_MS), 0);
    assert_int_equal(nng_dialer_create(&dialer, socket, url), 0);
    assert_int_equal(nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config), 0);
    assert_int_equal(nng_dialer_start(dialer, NNG_FLAG_NONBLOCK), 0);
    nng_tls_config_free(config);
    return socket;
}

int tls_peer_call(nng_socket socket) {
    static const char PROBE[] = "herald.rpc.v1.Health/Check";
    nng_msg *message = NULL;
    assert_int_equal(nng_msg_alloc(&message, 0), 0);
    assert_int_equal(nng_msg_append(message, PROBE, sizeof(PROBE) - 1), 0);
    int failure = nng_sendmsg(socket, message, 0);
    if (failure != 0) {
        nng_msg_free(message);
        return failure;
    }
    failure = nng_recvmsg(socket, &message, 0);
    if (failure == 0) {
        assert_non_null(memmem(nng_msg_body(message), nng_msg_len(message), "SERVING", 7));
        nng_msg_free(message);
    }
    return failure;
}

int tls_peer_call_once(const char *url, const struct tls_peer *peer) {
    nng_socket socket = tls_peer_open(url, peer);
    int failure = tls_peer_call(socket);
    nng_close(socket);
    return failure;
}

/* ---- libssl over a socket ---- */

static int connect_to(const char *url) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static SSL *shake_hands(int fd, const char *own) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (own) {
        assert_int_equal(SSL_CTX_use_certificate_chain_file(context, certificate_path(own, ".pem")), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(context, certificate_path(own, ".key"), SSL_FILETYPE_PEM), 1);
    }
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

long tls_serial(const char *url, const char *own, const char **ret_version) {
    int fd = connect_to(url);
    SSL *ssl = shake_hands(fd, own);
    long serial = ASN1_INTEGER_get(X509_get0_serialNumber(SSL_get0_peer_certificate(ssl)));
    *ret_version = SSL_get_version(ssl);
    SSL_free(ssl);
    close(fd);
    return serial;
}

static const uint8_t HEADER[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

bool tls_is_told_the_end(const char *url, const char *own, void (*end)(void *user), void *user) {
    uint8_t answer[sizeof(HEADER)];
    int fd = connect_to(url);
    SSL *ssl = shake_hands(fd, own);
    assert_true(SSL_write(ssl, HEADER, sizeof(HEADER)) > 0);
    assert_int_equal(SSL_read(ssl, answer, sizeof(answer)), (int)sizeof(answer));
    end(user);
    int result = SSL_read(ssl, answer, sizeof(answer));
    bool told = SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN;
    SSL_free(ssl);
    close(fd);
    return told;
}

static void send_bytes(int fd, const void *bytes, size_t count) {
    assert_int_equal(send(fd, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
}

static void reset(int fd) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

void tls_hang_up(const char *url, const char *own, enum tls_stage stage) {
    static const uint8_t HELLO[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    int fd = connect_to(url);
    SSL *ssl = stage >= TLS_HANDSHAKE ? shake_hands(fd, own) : NULL;
    if (stage == TLS_GARBAGE) {
        send_bytes(fd, "GET / HTTP/1.1\r\n\r\n", 18);
    } else if (stage == TLS_HALF_HELLO) {
        send_bytes(fd, HELLO, sizeof(HELLO));
    } else if (stage > TLS_HANDSHAKE) {
        assert_true(SSL_write(ssl, HEADER, stage == TLS_HEADER ? 8 : 3) > 0);
    }
    reset(fd);
    SSL_free(ssl);
}

void tls_send_and_hang_up(const char *url, const char *own, const void *frames, size_t bytes) {
    uint8_t answer[sizeof(HEADER)];
    int fd = connect_to(url);
    SSL *ssl = shake_hands(fd, own);
    if (SSL_write(ssl, HEADER, sizeof(HEADER)) > 0 && SSL_read(ssl, answer, sizeof(answer)) > 0) {
        (void)SSL_write(ssl, frames, (int)bytes);
    }
    reset(fd);
    SSL_free(ssl);
}
