/*
 * The HTTP side of the fake channels: one thread runs libmicrohttpd over epoll, the timers of requests that wait and the
 * scenario. A wait suspends its connection.
 */
#include "client/base/minimum.h"
#include "deploy/fakes/fakes_private.h"
#include "deploy/fakes/instagram.h"
#include "deploy/fakes/kakao.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define CONNECTIONS_MAX  30000u
#define BACKLOG          4096u
#define CONNECTION_BYTES 16384
#define IDLE_S           120u

/* --- routes ------------------------------------------------------------------------------------------------------ */

static void reply_page(struct fakes_request *request) {
    fakes_reply(request, 200, NULL);
}

static json_t *page_error_body(const struct fake_error *error) {
    return json_pack("{s:s}", "error", error->message);
}

/* The blog of a person has no API: an error is the site's. */
static const struct fakes_protocol BLOG = {
    .id_member = "",
    .error_body = page_error_body,
    .rejected = {.status = 404, .message = "told to reject"},
};

/* @rest  the path after the channel's name */
static enum MHD_Result route_posts(struct fakes_request *request, enum fake_channel channel, const char *method,
                                   const char *rest) {
    bool is_webhook = channel != FAKE_INSTAGRAM && channel != FAKE_KAKAO_CHANNEL && channel != FAKE_NAVER_BLOG;
    bool all = request->fakes->all_webhooks;
    if (strcmp(rest, "/behaviour") == 0) {
        return strcmp(method, "PUT") == 0
                   ? fakes_set_behaviour(request, channel)
                   : fakes_answer_error(request, 405, "bad_method", "PUT sets the behaviour here");
    }
    if (strcmp(rest, "/posts") == 0 && (is_webhook || all)) {
        return strcmp(method, "POST") == 0 ? webhook_route_post(request, channel)
                                           : fakes_answer_error(request, 405, "bad_method", "POST posts here");
    }
    if (strncmp(rest, "/posts/", 7) == 0 && all) {
        return strcmp(method, "GET") == 0 ? webhook_route_look_up(request, channel, rest + 7)
                                          : fakes_answer_error(request, 405, "bad_method", "GET looks a post up here");
    }
    return fakes_answer_error(request, 404, "not_found", "no such page");
}

/* @rest  the path that begins with a channel's name */
static enum MHD_Result route_channel(struct fakes_request *request, const char *method, const char *rest) {
    char name[32];
    enum fake_channel channel;
    size_t bytes = strcspn(rest, "/");
    snprintf(name, sizeof(name), "%.*s", (int)(bytes < sizeof(name) ? bytes : 0), rest);
    if (!fake_channel_find(name, &channel)) {
        return fakes_answer_error(request, 404, "not_found", "no such channel; GET /channels lists them");
    }
    return route_posts(request, channel, method, rest + bytes);
}

static enum MHD_Result route_behaviour(struct fakes_request *request, const char *method, const char *name) {
    enum fake_channel channel;
    if (!fake_channel_find(name, &channel)) {
        return fakes_answer_error(request, 404, "not_found", "no such channel; GET /channels lists them");
    }
    return route_posts(request, channel, method, "/behaviour");
}

static enum MHD_Result route_fakes(struct fakes_request *request, const char *method, const char *path) {
    if (strncmp(path, "/channels/", 10) == 0) {
        return route_channel(request, method, path + 10);
    }
    if (strncmp(path, "/graph/", 7) == 0) {
        return instagram_route(request, method, path + 7);
    }
    if (strncmp(path, "/kakao/", 7) == 0 && strcmp(path, "/kakao/clock") != 0) {
        return kakao_route(request, method, path + 7);
    }
    if (strncmp(path, "/naver/", 7) == 0 && strcmp(method, "GET") == 0) {
        return fakes_call(request, FAKE_NAVER_BLOG, FAKE_STEP_PAGE, &BLOG, reply_page);
    }
    if (strncmp(path, "/behaviour/", 11) == 0) {
        return route_behaviour(request, method, path + 11);
    }
    return fakes_control(request, method, path);
}

/* --- libmicrohttpd ----------------------------------------------------------------------------------------------- */

/* Makes the request as its first line arrives. Without memory, NULL: the connection is closed. */
static void *on_fakes_line(void *user, const char *uri, struct MHD_Connection *connection) {
    struct fakes_request *request = calloc(1, sizeof(*request));
    if (request == NULL || (request->uri = strdup(uri)) == NULL) {
        free(request);
        return NULL;
    }
    request->fakes = user;
    request->connection = connection;
    request->watched_fd = -1;
    request->received_ms = fakes_now_ms();
    return request;
}

static void begin_fakes_request(struct fakes_request *request) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_DAEMON);
    const char *event_id = fakes_header(request, "x-herald-event");
    request->begun = true;
    request->over_tls = info != NULL && info->daemon == request->fakes->tls_daemon;
    snprintf(request->event_id, sizeof(request->event_id), "%s", event_id != NULL ? event_id : "");
}

/* Keeps what arrives of the body, up to its limit. */
static void keep_body(struct fakes_request *request, const char *upload, size_t bytes) {
    size_t taken = herald_min_size(bytes, BODY_MAX_BYTES - request->body_bytes);
    request->too_big = request->too_big || taken < bytes;
    if (request->body_bytes + taken + 1 > request->body_room) {
        size_t room = request->body_bytes + taken + 1;
        char *grown = realloc(request->body, room);
        if (grown == NULL) {
            request->too_big = true;
            return;
        }
        request->body = grown;
        request->body_room = room;
    }
    memcpy(request->body + request->body_bytes, upload, taken);
    request->body_bytes += taken;
    request->body[request->body_bytes] = '\0';
}

static enum MHD_Result on_fakes_request(void *user, struct MHD_Connection *connection, const char *url,
                                        const char *method, const char *version, const char *upload,
                                        size_t *upload_bytes, void **request_state) {
    struct fakes_request *request = *request_state;
    (void)user;
    (void)connection;
    (void)version;
    if (request == NULL) {
        return MHD_NO;
    }
    if (!request->begun) {
        begin_fakes_request(request);
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        keep_body(request, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    switch (request->stage) {
    case FAKES_READING:
        return route_fakes(request, method, url);
    case FAKES_DUE:
        return fakes_finish(request);
    default:
        return MHD_NO;
    }
}

static void on_request_over(void *user, struct MHD_Connection *connection, void **request_state,
                            enum MHD_RequestTerminationCode how) {
    struct fakes_request *request = *request_state;
    (void)user;
    (void)connection;
    (void)how;
    *request_state = NULL;
    if (request == NULL) {
        return;
    }
    fakes_settle(request);
    json_decref(request->json);
    json_decref(request->answer);
    free(request->drip);
    free(request->body);
    free(request->uri);
    free(request);
}

/* --- the thread -------------------------------------------------------------------------------------------------- */

/* The shorter of two times to wait; -1 is for ever. */
static int sooner(int one, int other) {
    return one < 0 || (other >= 0 && other < one) ? other : one;
}

static int daemon_timeout(struct MHD_Daemon *daemon) {
    MHD_UNSIGNED_LONG_LONG ms;
    return daemon != NULL && MHD_get_timeout(daemon, &ms) == MHD_YES ? (int)(ms < 60000 ? ms : 60000) : -1;
}

static void run_daemons(struct fakes *fakes) {
    (void)MHD_run(fakes->daemon);
    if (fakes->tls_daemon != NULL) {
        (void)MHD_run(fakes->tls_daemon);
    }
}

static bool is_stopped(const struct fakes *fakes) {
    uint64_t count;
    return read(fakes->stop_fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

/* The thread. At the end no connection is suspended, which MHD_stop_daemon() needs. */
static void *serve_fakes(void *user) {
    struct fakes *fakes = user;
    struct epoll_event events[4];
    while (!is_stopped(fakes)) {
        int wait_ms = sooner(fakes_waiting_run(&fakes->waiting), fakes_scenario_run(fakes));
        wait_ms = sooner(wait_ms, sooner(daemon_timeout(fakes->daemon), daemon_timeout(fakes->tls_daemon)));
        (void)epoll_wait(fakes->epoll_fd, events, 4, fakes->waiting.woken ? 0 : wait_ms);
        fakes_waiting_sweep(&fakes->waiting);
        fakes->waiting.woken = false;
        run_daemons(fakes);
    }
    while (fakes->waiting.first != NULL) {
        fakes_wake(fakes->waiting.first, FAKES_OVER);
    }
    run_daemons(fakes);
    return NULL;
}

/* --- starting and stopping --------------------------------------------------------------------------------------- */

static enum herald_code cannot_listen_for_posts(const char *host, uint16_t port, const char *why,
                                                struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_CANNOT_LISTEN,
                            "cannot listen on %s port %u: %s; another port can be given with --listen", host,
                            (unsigned)port, why);
}

/* Many connections that wait need many descriptors. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool add_to_epoll(struct fakes *fakes, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(fakes->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* @key, @certificate  NULL: no TLS */
static struct MHD_Daemon *start_fakes_daemon(struct fakes *fakes, const struct addrinfo *address, uint16_t port,
                                             const char *key, const char *certificate) {
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    flags |= address->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0u;
    flags |= key != NULL ? MHD_USE_TLS : 0u;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate},
        {MHD_OPTION_END, 0, NULL},
    };
    errno = 0;
    struct MHD_Daemon *daemon =
        MHD_start_daemon(flags, port, NULL, NULL, on_fakes_request, fakes, MHD_OPTION_SOCK_ADDR, address->ai_addr,
                         MHD_OPTION_NOTIFY_COMPLETED, on_request_over, NULL, MHD_OPTION_URI_LOG_CALLBACK, on_fakes_line,
                         fakes, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_LISTEN_BACKLOG_SIZE, BACKLOG,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
                         IDLE_S, MHD_OPTION_ARRAY, key != NULL ? tls : &tls[2], MHD_OPTION_END);
    if (daemon != NULL && !add_to_epoll(fakes, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd)) {
        MHD_stop_daemon(daemon);
        daemon = NULL;
    }
    return daemon;
}

static enum herald_code listen_for_posts(struct fakes *fakes, const char *host, uint16_t port, bool tls,
                                         struct herald_error *reterr) {
    char text[8], *key = NULL, *certificate = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *address = NULL;
    snprintf(text, sizeof(text), "%u", (unsigned)port);
    int failure = getaddrinfo(host, text, &hints, &address);
    if (failure != 0) {
        return cannot_listen_for_posts(host, port, gai_strerror(failure), reterr);
    }
    if (tls && !fakes_certificate(&key, &certificate)) {
        freeaddrinfo(address);
        return herald_error_no_memory(reterr, "the certificate");
    }
    struct MHD_Daemon *daemon = start_fakes_daemon(fakes, address, port, key, certificate);
    int reason = errno;
    free(key);
    free(certificate);
    freeaddrinfo(address);
    if (daemon == NULL) {
        return cannot_listen_for_posts(host, port, reason != 0 ? strerror(reason) : "the HTTP server did not start",
                                       reterr);
    }
    unsigned bound = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    *(tls ? &fakes->tls_daemon : &fakes->daemon) = daemon;
    snprintf(tls ? fakes->tls_url : fakes->url, sizeof(fakes->url),
             strchr(host, ':') != NULL ? "http%s://[%s]:%u" : "http%s://%s:%u", tls ? "s" : "", host, bound);
    return HERALD_OK;
}

static struct fakes *make_fakes(const struct fakes_options *options) {
    struct fakes *fakes = calloc(1, sizeof(*fakes));
    if (fakes == NULL) {
        return NULL;
    }
    fakes->waiting.epoll_fd = -1;
    fakes->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fakes->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fakes->channels = fake_channels_new();
    fakes->ledger = fake_ledger_new();
    fakes->instagram = instagram_new(options);
    fakes->kakao = kakao_new(options);
    fakes->chatty = options->chatty;
    fakes->all_webhooks = options->all_webhooks;
    fakes->secret_count = herald_min_size(options->secret_count, FAKES_SECRETS_MAX);
    for (size_t i = 0; i < fakes->secret_count; i++) {
        fakes->secrets[i] = options->secrets[i];
    }
    bool made = fakes->channels != NULL && fakes->ledger != NULL && fakes->instagram != NULL && fakes->kakao != NULL &&
                fakes->epoll_fd >= 0 && fakes->stop_fd >= 0 && fakes_waiting_open(&fakes->waiting) &&
                add_to_epoll(fakes, fakes->stop_fd) && add_to_epoll(fakes, fakes->waiting.epoll_fd);
    if (!made) {
        fakes_stop(fakes);
        fakes = NULL;
    }
    return fakes;
}

static enum herald_code start_all(struct fakes *fakes, const struct fakes_options *options,
                                  struct herald_error *reterr) {
    enum herald_code code =
        options->scenario != NULL ? fakes_scenario_read(options->scenario, &fakes->scenario, reterr) : HERALD_OK;
    if (code == HERALD_OK) {
        code = listen_for_posts(fakes, options->host, options->port, false, reterr);
    }
    if (code == HERALD_OK && options->tls_host != NULL) {
        code = listen_for_posts(fakes, options->tls_host, options->tls_port, true, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    fakes->has_thread = pthread_create(&fakes->thread, NULL, serve_fakes, fakes) == 0;
    return fakes->has_thread ? HERALD_OK : herald_error_no_memory(reterr, "the thread of the fake channels");
}

enum herald_code fakes_start(const struct fakes_options *options, struct fakes **ret_fakes,
                             struct herald_error *reterr) {
    raise_descriptor_limit();
    struct fakes *fakes = make_fakes(options);
    if (fakes == NULL) {
        return herald_error_no_memory(reterr, "the fake channels");
    }
    enum herald_code code = start_all(fakes, options, reterr);
    if (code == HERALD_OK) {
        *ret_fakes = fakes;
    } else {
        fakes_stop(fakes);
    }
    return code;
}

static void end_thread(struct fakes *fakes) {
    const uint64_t one = 1;
    if (fakes->has_thread && write(fakes->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one)) {
        pthread_join(fakes->thread, NULL);
    }
}

static void close_if_open(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

void fakes_stop(struct fakes *fakes) {
    if (fakes == NULL) {
        return;
    }
    end_thread(fakes);
    if (fakes->daemon != NULL) {
        MHD_stop_daemon(fakes->daemon);
    }
    if (fakes->tls_daemon != NULL) {
        MHD_stop_daemon(fakes->tls_daemon);
    }
    fakes_waiting_close(&fakes->waiting);
    close_if_open(fakes->epoll_fd);
    close_if_open(fakes->stop_fd);
    fakes_scenario_free(fakes->scenario);
    kakao_free(fakes->kakao);
    instagram_free(fakes->instagram);
    fake_ledger_free(fakes->ledger);
    fake_channels_free(fakes->channels);
    free(fakes);
}

const char *fakes_url(const struct fakes *fakes) {
    return fakes->url;
}

const char *fakes_tls_url(const struct fakes *fakes) {
    return fakes->tls_url;
}

struct fake_channels *fakes_channels(struct fakes *fakes) {
    return fakes->channels;
}
