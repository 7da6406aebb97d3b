/*
 * Serves pictures with libmicrohttpd. Invariant: of a request's path, only a valid UUID and a known file name reach the
 * file system.
 */
#include "server/content/picture_server.h"

#include "herald/uuid.h"
#include "server/content/picture_store.h"
#include "server/content/render.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX      "/content/"
#define UUID_CHARS  36
#define THREADS     2u
#define CONNECTIONS 256u
#define IDLE_S      15u

struct picture_server {
    struct MHD_Daemon *daemon;
    char dir[PATH_MAX];
    char url[320];
};

/* --- requests ---------------------------------------------------------------------------------------------------- */

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *text) {
    union {
        const char *in;
        void *out; /* libmicrohttpd does not write to a persistent buffer */
    } lent = {.in = text};
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), lent.out, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(response, "content-type", "text/plain; charset=utf-8");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        MHD_add_response_header(response, "allow", "GET, HEAD");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Finds a file that a job can have, by its name in the path; NULL: there is no such file. */
static const char *known_file(const char *name, const char **ret_type) {
    static const struct {
        const char *name, *type;
    } FILES[] = {
        {"simple.png", "image/png"}, {"simple.jpg", "image/jpeg"}, {"fancy.png", "image/png"},
        {"fancy.jpg", "image/jpeg"}, {"trendy.png", "image/png"},  {"trendy.jpg", "image/jpeg"},
    };
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        if (strcmp(FILES[i].name, name) == 0) {
            *ret_type = FILES[i].type;
            return FILES[i].name;
        }
    }
    return NULL;
}

/* Opens the file that @path names. Only a UUID and a known name from the path reach the file system. */
static int open_picture(const struct picture_server *server, const char *path, size_t *ret_bytes,
                        const char **ret_type) {
    char job_id[UUID_CHARS + 1];
    size_t prefix = strlen(PREFIX);
    if (strncmp(path, PREFIX, prefix) != 0 || strlen(path + prefix) <= UUID_CHARS + 1 ||
        path[prefix + UUID_CHARS] != '/' || !herald_uuid_valid(path + prefix, UUID_CHARS)) {
        return -1;
    }
    memcpy(job_id, path + prefix, UUID_CHARS);
    job_id[UUID_CHARS] = '\0';
    const char *file = known_file(path + prefix + UUID_CHARS + 1, ret_type);
    return file != NULL ? picture_store_open(server->dir, job_id, file, ret_bytes) : -1;
}

static enum MHD_Result answer_picture(const struct picture_server *server, struct MHD_Connection *connection,
                                      const char *path) {
    size_t bytes = 0;
    const char *type = NULL;
    int fd = open_picture(server, path, &bytes, &type);
    if (fd < 0) {
        return answer_text(connection, MHD_HTTP_NOT_FOUND, "There is no such picture.\n");
    }
    struct MHD_Response *response = MHD_create_response_from_fd(bytes, fd);
    if (response == NULL) {
        close(fd);
        return MHD_NO;
    }
    MHD_add_response_header(response, "content-type", type);
    MHD_add_response_header(response, "cache-control", "public, max-age=86400");
    MHD_add_response_header(response, "x-content-type-options", "nosniff");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_picture_request(void *user, struct MHD_Connection *connection, const char *url,
                                          const char *method, const char *version, const char *upload,
                                          size_t *upload_bytes, void **state) {
    static int seen; /* marks a request whose headers were read; only its address counts */
    (void)version;
    (void)upload;
    bool allowed = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (*state == NULL) {
        *state = &seen;
        return allowed ? MHD_YES
                       : answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are answered.\n");
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    return answer_picture(user, connection, url);
}

/* --- listening --------------------------------------------------------------------------------------------------- */

struct address {
    char host[256];
    char port[8];
};

static enum herald_code read_url(const char *url, struct address *ret_address, struct herald_error *reterr) {
    const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : "";
    const char *colon = strrchr(host, ':');
    size_t host_bytes = colon != NULL ? (size_t)(colon - host) : 0;
    char *end = NULL;
    unsigned long port = colon != NULL && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 65536;
    if (host_bytes == 0 || host_bytes >= sizeof(ret_address->host) || port > 65535 || *end != '\0') {
        return herald_error_set(reterr, HERALD_REASON_BAD_URL,
                                "the setting content.url is \"%s\"; it must be http://host:port, with no path", url);
    }
    if (host[0] == '[' && host[host_bytes - 1] == ']') {
        host++;
        host_bytes -= 2;
    }
    memcpy(ret_address->host, host, host_bytes);
    ret_address->host[host_bytes] = '\0';
    snprintf(ret_address->port, sizeof(ret_address->port), "%lu", port);
    return HERALD_OK;
}

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr) != 0;
}

static enum herald_code cannot_serve_pictures(const char *url, const char *why, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_CANNOT_LISTEN,
                            "cannot serve pictures on %s: %s; choose another host or port with the setting "
                            "content.url",
                            url, why);
}

/* Does not unescape: the path of a picture contains no '%', so a path with one is not found. */
static size_t keep_escapes(void *user, struct MHD_Connection *connection, char *text) {
    (void)user;
    (void)connection;
    return strlen(text);
}

static enum herald_code start_daemon(struct picture_server *server, const char *url, const struct addrinfo *found,
                                     const struct address *address, struct herald_error *reterr) {
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD;
    if (found->ai_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    errno = 0;
    server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_picture_request, server, MHD_OPTION_SOCK_ADDR,
                                      found->ai_addr, MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_LIMIT,
                                      CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_UNESCAPE_CALLBACK,
                                      keep_escapes, NULL, MHD_OPTION_END);
    if (server->daemon == NULL) {
        return cannot_serve_pictures(url, errno != 0 ? strerror(errno) : "the HTTP server did not start", reterr);
    }
    unsigned port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(server->url, sizeof(server->url), strchr(address->host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u",
             address->host, port);
    return HERALD_OK;
}

static enum herald_code listen_for_pictures(struct picture_server *server, const char *url, bool insecure,
                                            struct herald_error *reterr) {
    struct address address;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    enum herald_code code = read_url(url, &address, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    int failure = getaddrinfo(address.host, address.port, &hints, &found);
    if (failure != 0) {
        return cannot_serve_pictures(url, gai_strerror(failure), reterr);
    }
    if (!insecure && !is_loopback(found->ai_addr)) {
        code = herald_error_set(reterr, HERALD_REASON_INSECURE_LISTENER,
                                "the setting content.url is \"%s\", beyond loopback, where pictures would be served "
                                "to anyone; if that is meant, set insecure = true in section [rpc]",
                                url);
    } else {
        code = start_daemon(server, url, found, &address, reterr);
    }
    freeaddrinfo(found);
    return code;
}

enum herald_code picture_server_start(const char *url, const char *dir, bool insecure,
                                      struct picture_server **ret_server, struct herald_error *reterr) {
    struct picture_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return herald_error_no_memory(reterr, "the server of pictures");
    }
    snprintf(server->dir, sizeof(server->dir), "%s", dir);
    enum herald_code code = listen_for_pictures(server, url, insecure, reterr);
    if (code == HERALD_OK) {
        *ret_server = server;
    } else {
        free(server);
    }
    return code;
}

void picture_server_stop(struct picture_server *server) {
    if (server == NULL) {
        return;
    }
    MHD_stop_daemon(server->daemon);
    free(server);
}

const char *picture_server_url(const struct picture_server *server) {
    return server->url;
}
