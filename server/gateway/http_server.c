/* The address of the gateway, which all of its loops share. */
#include "server/gateway/connection_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct host_port {
    char host[256];
    char port[8];
};

static enum herald_code read_listen_url(const char *url, struct host_port *ret_at, struct herald_error *reterr) {
    const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : "";
    const char *colon = strrchr(host, ':');
    size_t host_bytes = colon != NULL ? (size_t)(colon - host) : 0;
    size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    if (host_bytes == 0 || host_bytes >= sizeof(ret_at->host) || digits == 0 || digits > 5 ||
        colon[1 + digits] != '\0' || atoi(colon + 1) > 65535) {
        return herald_error_set(reterr, HERALD_REASON_BAD_URL,
                                "the setting gateway.listen is \"%s\"; it must be http://host:port, with no path", url);
    }
    if (host[0] == '[' && host[host_bytes - 1] == ']') {
        host++;
        host_bytes -= 2;
    }
    memcpy(ret_at->host, host, host_bytes);
    ret_at->host[host_bytes] = '\0';
    snprintf(ret_at->port, sizeof(ret_at->port), "%s", colon + 1);
    return HERALD_OK;
}

static bool is_loopback_address(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr) != 0;
}

static enum herald_code cannot_bind(const struct http_server *server, int failure, struct herald_error *reterr) {
    return herald_error_set(reterr, failure == EADDRINUSE ? HERALD_REASON_ADDRESS_IN_USE : HERALD_REASON_CANNOT_LISTEN,
                            "cannot serve HTTP on %s: %s; choose another host or port with the setting gateway.listen",
                            server->options.url, strerror(failure));
}

static enum herald_code bind_address(struct http_server *server, const struct addrinfo *found, const char *host,
                                     struct herald_error *reterr) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound;
    socklen_t bound_bytes = sizeof(bound);
    int yes = 1;
    memset(&bound, 0, sizeof(bound));
    server->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->fd < 0 || setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(server->fd, found->ai_addr, found->ai_addrlen) != 0 || listen(server->fd, HTTP_BACKLOG) != 0 ||
        getsockname(server->fd, &bound.any, &bound_bytes) != 0) {
        return cannot_bind(server, errno, reterr);
    }
    unsigned port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
    snprintf(server->url, sizeof(server->url), strchr(host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u", host,
             port);
    return HERALD_OK;
}

/* Finds the address, and refuses one that others reach. @ret_found  on success: freeaddrinfo() */
static enum herald_code find_address(const struct http_server_options *options, struct host_port *ret_at,
                                     struct addrinfo **ret_found, struct herald_error *reterr) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    enum herald_code code = read_listen_url(options->url, ret_at, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    int failure = getaddrinfo(ret_at->host, ret_at->port, &hints, &found);
    if (failure != 0) {
        return herald_error_set(reterr, HERALD_REASON_CANNOT_LISTEN, "cannot serve HTTP on %s: %s", options->url,
                                gai_strerror(failure));
    }
    if (!is_loopback_address(found->ai_addr) && !options->insecure) {
        freeaddrinfo(found);
        return herald_error_set(
            reterr, HERALD_REASON_INSECURE_LISTENER,
            "the setting gateway.listen is \"%s\", beyond loopback, and HTTP has no TLS: put a proxy "
            "with TLS in front of a gateway on loopback (docs/http.md); if this is meant, set "
            "insecure = true in section [gateway]",
            options->url);
    }
    *ret_found = found;
    return HERALD_OK;
}

static enum herald_code bind_url(struct http_server *server, struct herald_error *reterr) {
    struct host_port at;
    struct addrinfo *found = NULL;
    enum herald_code code = find_address(&server->options, &at, &found, reterr);
    if (code == HERALD_OK) {
        server->on_loopback = is_loopback_address(found->ai_addr);
        code = bind_address(server, found, at.host, reterr);
        freeaddrinfo(found);
    }
    return code;
}

static enum herald_code bad_proxies(const struct http_server_options *options, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_BAD_URL,
                            "the setting gateway.trusted_proxies is \"%s\"; it must be addresses "
                            "with commas between them",
                            options->trusted_proxies);
}

enum herald_code http_server_check_listen(const struct http_server_options *options, struct herald_error *reterr) {
    struct host_port at;
    struct addrinfo *found = NULL;
    enum herald_code code = find_address(options, &at, &found, reterr);
    if (code == HERALD_OK) {
        freeaddrinfo(found);
    }
    return code;
}

enum herald_code http_server_check_proxies(const struct http_server_options *options, struct herald_error *reterr) {
    struct addresses *addresses = addresses_new(options->trusted_proxies);
    enum herald_code code = addresses ? HERALD_OK : bad_proxies(options, reterr);
    addresses_free(addresses);
    return code;
}

enum herald_code http_server_bind(const struct http_server_options *options, struct http_server **ret_server,
                                  struct herald_error *reterr) {
    struct http_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return herald_error_no_memory(reterr, "the server of HTTP");
    }
    server->options = *options;
    server->fd = -1;
    server->addresses = addresses_new(options->trusted_proxies);
    enum herald_code code = server->addresses != NULL ? bind_url(server, reterr) : bad_proxies(options, reterr);
    if (code != HERALD_OK) {
        http_server_free(server);
        return code;
    }
    *ret_server = server;
    return HERALD_OK;
}

void http_server_free(struct http_server *server) {
    if (server == NULL) {
        return;
    }
    if (server->fd >= 0) {
        close(server->fd);
    }
    addresses_free(server->addresses);
    free(server);
}

const char *http_server_url(const struct http_server *server) {
    return server->url;
}

bool http_server_on_loopback(const struct http_server *server) {
    return server->on_loopback;
}

void http_server_count(const struct http_server *server, unsigned *ret_connections, unsigned *ret_requests) {
    *ret_connections = atomic_load(&server->connections);
    *ret_requests = atomic_load_explicit(&server->requests, memory_order_relaxed);
}
