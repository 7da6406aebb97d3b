/*
 * Serves pictures with libmicrohttpd. Invariant: of a request's path, only a valid key or UUID and a known file name
 * reach the file system.
 */
#include "server/content/picture_server.h"

#include "herald/uuid.h"
#include "server/content/picture_store.h"
#include "server/content/render.h"
#include "server/content/shape_maker.h"
#include "server/content/visitors.h"
#include "server/outgoing/http_knock.h"
#include "server/outgoing/picture_url.h"

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

#define PREFIX     "/content/"
#define UUID_CHARS 36
#define THREADS    2u
#define SHARE      128u /* of one address, before others make way */
#define SILENT_MS  10000u
#define ANSWER_MS  60000u
#define PROTECT_MS 2000u
#define CLOSING    4u /* times as many, for those that are about to be closed and for threads that share unevenly */
#define IDLE_S     15u
#define MEMORY     16384u /* of a connection, bytes: a head that is longer is refused */
#define BACKLOG    4096u
#define KNOCK_MS   3000u

struct address {
    char host[256];
    char port[8];
};

struct picture_server {
    struct MHD_Daemon *daemon;
    struct shape_maker *shapes;
    struct visitors *visitors;
    struct address address; /* of url */
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
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        MHD_add_response_header(response, "retry-after", "5");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* A file that the path of a request names. */
struct named_file {
    char key[UUID_CHARS + 1]; /* of pictures made before keys: the id of their job */
    const char *style;        /* static */
    enum picture_shape shape; /* PICTURE_SHAPE_COUNT: as the picture was made */
    bool png;
    char file[32];
};

/* A request, from its head to its end; waits for its shape while the connection is suspended. */
struct picture_request {
    struct shape_request shape; /* first: the maker passes its address */
    struct MHD_Connection *connection;
    bool asked; /* the maker was asked for the shape, and has answered */
};

/* Reads the ending of a file's name: ".png", ".jpg" or ".wide.jpg". Returns: false for another one. */
static bool read_ending(const char *ending, struct named_file *named) {
    char shaped[32];
    named->png = strcmp(ending, ".png") == 0;
    named->shape = PICTURE_SHAPE_COUNT;
    if (named->png || strcmp(ending, ".jpg") == 0) {
        return true;
    }
    for (int shape = 0; shape < PICTURE_SHAPE_COUNT; shape++) {
        snprintf(shaped, sizeof(shaped), ".%s.jpg", picture_shape_name((enum picture_shape)shape));
        if (strcmp(ending, shaped) == 0) {
            named->shape = (enum picture_shape)shape;
            return true;
        }
    }
    return false;
}

/* Reads the name of a file that a job can have. A square is the picture as it was made. */
static bool read_file_name(const char *name, struct named_file *named) {
    for (int i = 0; i < RENDER_STYLE_COUNT; i++) {
        const char *style = render_style_name((enum render_style)i);
        if (strncmp(name, style, strlen(style)) != 0 || !read_ending(name + strlen(style), named)) {
            continue;
        }
        named->style = style;
        if (named->shape == PICTURE_SQUARE) {
            named->shape = PICTURE_SHAPE_COUNT;
        }
        if (named->shape == PICTURE_SHAPE_COUNT) {
            snprintf(named->file, sizeof(named->file), "%s.%s", style, named->png ? "png" : "jpg");
        } else {
            shape_file_name(style, named->shape, named->file);
        }
        return true;
    }
    return false;
}

/* Reads the path of a request. Returns: false: it names no file that a job can have. */
static bool read_picture_path(const char *path, struct named_file *named) {
    size_t prefix = strlen(PREFIX), key_chars = strncmp(path, PREFIX, prefix) == 0 ? strcspn(path + prefix, "/") : 0;
    const char *key = path + prefix;
    bool valid = (key_chars == PICTURE_KEY_CHARS && picture_key_valid(key)) ||
                 (key_chars == UUID_CHARS && herald_uuid_valid(key, UUID_CHARS));
    if (!valid || key[key_chars] != '/') {
        return false;
    }
    memcpy(named->key, key, key_chars);
    named->key[key_chars] = '\0';
    return read_file_name(key + key_chars + 1, named);
}

static enum MHD_Result answer_picture(struct MHD_Connection *connection, const struct named_file *named, int fd,
                                      size_t bytes) {
    struct MHD_Response *response = MHD_create_response_from_fd(bytes, fd);
    if (response == NULL) {
        close(fd);
        return MHD_NO;
    }
    MHD_add_response_header(response, "content-type", named->png ? "image/png" : "image/jpeg");
    MHD_add_response_header(response, "cache-control", "public, max-age=86400");
    MHD_add_response_header(response, "x-content-type-options", "nosniff");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static bool has_png(const struct picture_server *server, const struct named_file *named) {
    char file[32];
    size_t bytes;
    snprintf(file, sizeof(file), "%s.png", named->style);
    int fd = picture_store_open(server->dir, named->key, file, &bytes);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void on_shape(struct shape_request *shape) {
    struct picture_request *request = (struct picture_request *)(void *)shape;
    MHD_resume_connection(request->connection);
}

/* Asks the maker for a shape that is not there yet; the request goes on when the maker has answered. */
static enum MHD_Result wait_for_shape(const struct picture_server *server, struct MHD_Connection *connection,
                                      const struct named_file *named, struct picture_request *request) {
    snprintf(request->shape.key, sizeof(request->shape.key), "%s", named->key);
    request->shape.style = named->style;
    request->shape.shape = named->shape;
    request->shape.on_shape = on_shape;
    request->connection = connection;
    request->asked = true;
    MHD_suspend_connection(connection);
    if (!shape_maker_ask(server->shapes, &request->shape)) {
        MHD_resume_connection(connection); /* and is answered as one whose shape was not made */
    }
    return MHD_YES;
}

static enum MHD_Result answer_path(const struct picture_server *server, struct MHD_Connection *connection,
                                   const char *path, struct picture_request *request) {
    struct named_file named;
    size_t bytes = 0;
    bool known = read_picture_path(path, &named);
    int fd = known ? picture_store_open(server->dir, named.key, named.file, &bytes) : -1;
    if (fd >= 0) {
        picture_store_note_use(server->dir, named.key);
        return answer_picture(connection, &named, fd, bytes);
    }
    if (!known || named.shape == PICTURE_SHAPE_COUNT || !has_png(server, &named)) {
        return answer_text(connection, MHD_HTTP_NOT_FOUND, "There is no such picture.\n");
    }
    return request->asked ? answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                                        "The picture cannot be made in this shape just now.\n")
                          : wait_for_shape(server, connection, &named, request);
}

/* Begins a request, whose head was read. */
static enum MHD_Result begin_request(struct MHD_Connection *connection, const char *method, void **state) {
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are answered.\n");
    }
    *state = calloc(1, sizeof(struct picture_request));
    return *state != NULL ? MHD_YES : MHD_NO;
}

static struct visitor *visitor_of(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static enum MHD_Result on_picture_request(void *user, struct MHD_Connection *connection, const char *url,
                                          const char *method, const char *version, const char *upload,
                                          size_t *upload_bytes, void **state) {
    (void)version;
    (void)upload;
    if (*state == NULL) {
        const struct picture_server *server = user;
        visitor_asks(server->visitors, visitor_of(connection), true);
        return begin_request(connection, method, state);
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    return answer_path(user, connection, url, *state);
}

static void on_request_end(void *user, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode why) {
    const struct picture_server *server = user;
    (void)why;
    visitor_asks(server->visitors, visitor_of(connection), false);
    free(*state);
    *state = NULL;
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what) {
    const struct picture_server *server = user;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        *context = visitors_enter(server->visitors, fd,
                                  MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    } else {
        visitors_leave(server->visitors, *context);
        *context = NULL;
    }
}

/* --- listening --------------------------------------------------------------------------------------------------- */

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
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (found->ai_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    errno = 0;
    server->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_picture_request, server, MHD_OPTION_SOCK_ADDR, found->ai_addr,
                         MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_LIMIT,
                         CLOSING * PICTURE_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
                         MHD_OPTION_LISTEN_BACKLOG_SIZE, BACKLOG, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
                         MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_request_end,
                         server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
    if (server->daemon == NULL) {
        return cannot_serve_pictures(url, errno != 0 ? strerror(errno) : "the HTTP server did not start", reterr);
    }
    unsigned port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(server->url, sizeof(server->url), strchr(address->host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u",
             address->host, port);
    server->address = *address;
    (void)snprintf(server->address.port, sizeof(server->address.port), "%u", port);
    return HERALD_OK;
}

/* Finds the address, and refuses one that others reach. @ret_found  on success: freeaddrinfo() */
static enum herald_code find_picture_address(const char *url, bool insecure, struct address *ret_address,
                                             struct addrinfo **ret_found, struct herald_error *reterr) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    enum herald_code code = read_url(url, ret_address, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    int failure = getaddrinfo(ret_address->host, ret_address->port, &hints, &found);
    if (failure != 0) {
        return cannot_serve_pictures(url, gai_strerror(failure), reterr);
    }
    if (!insecure && !is_loopback(found->ai_addr)) {
        freeaddrinfo(found);
        return herald_error_set(reterr, HERALD_REASON_INSECURE_LISTENER,
                                "the setting content.url is \"%s\", beyond loopback, where pictures would be served "
                                "to anyone; if that is meant, set insecure = true in section [rpc]",
                                url);
    }
    *ret_found = found;
    return HERALD_OK;
}

static enum herald_code listen_for_pictures(struct picture_server *server, const char *url, bool insecure,
                                            struct herald_error *reterr) {
    struct address address;
    struct addrinfo *found = NULL;
    enum herald_code code = find_picture_address(url, insecure, &address, &found, reterr);
    if (code == HERALD_OK) {
        code = start_daemon(server, url, found, &address, reterr);
        freeaddrinfo(found);
    }
    return code;
}

enum herald_code picture_server_check_url(const char *url, bool insecure, struct herald_error *reterr) {
    struct address address;
    struct addrinfo *found = NULL;
    enum herald_code code = find_picture_address(url, insecure, &address, &found, reterr);
    if (code == HERALD_OK) {
        freeaddrinfo(found);
    }
    return code;
}

enum herald_code picture_server_start(const char *url, const char *dir, bool insecure,
                                      struct picture_server **ret_server, struct herald_error *reterr) {
    struct picture_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return herald_error_no_memory(reterr, "the server of pictures");
    }
    snprintf(server->dir, sizeof(server->dir), "%s", dir);
    server->visitors = visitors_new(&(struct visitors_options){.most = PICTURE_CONNECTIONS,
                                                               .share = SHARE,
                                                               .silent_ms = SILENT_MS,
                                                               .answer_ms = ANSWER_MS,
                                                               .protect_ms = PROTECT_MS});
    enum herald_code code = server->visitors != NULL ? shape_maker_start(dir, &server->shapes, reterr)
                                                     : herald_error_no_memory(reterr, "the server of pictures");
    if (code == HERALD_OK) {
        code = listen_for_pictures(server, url, insecure, reterr);
    }
    if (code == HERALD_OK) {
        *ret_server = server;
    } else {
        picture_server_stop(server);
    }
    return code;
}

void picture_server_stop(struct picture_server *server) {
    if (server == NULL) {
        return;
    }
    if (server->shapes != NULL) {
        shape_maker_stop(server->shapes); /* first: it resumes the connections that wait, as their end demands */
    }
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon);
    }
    shape_maker_free(server->shapes);
    visitors_free(server->visitors);
    free(server);
}

const char *picture_server_url(const struct picture_server *server) {
    return server->url;
}

int picture_server_check(const struct picture_server *server) {
    return http_knock(server->address.host, server->address.port, KNOCK_MS);
}
