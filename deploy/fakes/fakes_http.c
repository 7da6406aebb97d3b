/* The HTTP side of the fake channels: routes requests, on libmicrohttpd with one thread for each connection. */
#include "client/base/clock.h"
#include "client/base/minimum.h"
#include "deploy/fakes/fakes_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- routes ------------------------------------------------------------------------------------------------------ */

static enum MHD_Result set_behaviour(struct fakes *fakes, struct fakes_request *request, enum fake_channel channel) {
    json_error_t syntax;
    struct fake_behaviour behaviour;
    json_t *json = json_loadb(request->body, request->body_bytes, JSON_REJECT_DUPLICATES, &syntax);
    if (json == NULL) {
        return fakes_answer_error(request, 400, syntax.text);
    }
    const char *wrong = fake_behaviour_read(json, &behaviour);
    json_decref(json);
    if (wrong != NULL) {
        return fakes_answer_error(request, 400, wrong);
    }
    fake_channels_set(fakes->channels, channel, behaviour);
    return fakes_answer(request, 200, fake_behaviour_write(&behaviour), 0);
}

static enum MHD_Result look_up_post(struct fakes *fakes, struct fakes_request *request, enum fake_channel channel,
                                    const char *key) {
    char remote_id[64];
    enum fake_look_up found =
        strlen(key) > 128 ? FAKE_NEVER : fake_channels_look_up(fakes->channels, channel, key, remote_id);
    switch (found) {
    case FAKE_ACCEPTED:
        return fakes_answer(request, 200, json_pack("{s:s}", "id", remote_id), 0);
    case FAKE_UNDECIDED:
        return fakes_answer(request, 202, json_pack("{s:s}", "state", "undecided"), 0);
    default:
        return fakes_answer_error(request, 404, "no post with this key was accepted");
    }
}

/* @rest  the path after "/channels/" */
static enum MHD_Result route_channel(struct fakes *fakes, struct fakes_request *request, const char *method,
                                     const char *rest) {
    char name[32];
    enum fake_channel channel;
    const char *slash = strchr(rest, '/');
    size_t name_bytes = slash != NULL ? (size_t)(slash - rest) : 0;
    if (name_bytes == 0 || name_bytes >= sizeof(name)) {
        return fakes_answer_error(request, 404, "no such page");
    }
    memcpy(name, rest, name_bytes);
    name[name_bytes] = '\0';
    if (!fake_channel_find(name, &channel)) {
        return fakes_answer_error(request, 404, "no such channel; GET /channels lists them");
    }
    if (strcmp(slash, "/posts") == 0) {
        return strcmp(method, "POST") == 0 ? fakes_post(fakes, request, channel)
                                           : fakes_answer_error(request, 405, "POST posts here");
    }
    if (strcmp(slash, "/behaviour") == 0) {
        return strcmp(method, "PUT") == 0 ? set_behaviour(fakes, request, channel)
                                          : fakes_answer_error(request, 405, "PUT sets the behaviour here");
    }
    if (strncmp(slash, "/posts/", 7) == 0) {
        return strcmp(method, "GET") == 0 ? look_up_post(fakes, request, channel, slash + 7)
                                          : fakes_answer_error(request, 405, "GET looks a post up here");
    }
    return fakes_answer_error(request, 404, "no such page");
}

static enum MHD_Result route(struct fakes *fakes, struct fakes_request *request, const char *method, const char *path) {
    if (strncmp(path, "/channels/", 10) == 0) {
        return route_channel(fakes, request, method, path + 10);
    }
    if (strcmp(path, "/log") == 0 && strcmp(method, "DELETE") == 0) {
        fake_channels_clear(fakes->channels);
        return fakes_answer(request, 200, json_object(), 0);
    }
    if (strcmp(method, "GET") != 0) {
        return fakes_answer_error(request, 405, "only GET is allowed here");
    }
    if (strcmp(path, "/log") == 0) {
        return fakes_answer_text(request, 200, "application/x-ndjson", fake_channels_log(fakes->channels), 0);
    }
    if (strcmp(path, "/rejected") == 0) {
        return fakes_answer_text(request, 200, "application/x-ndjson", fake_channels_refused(fakes->channels), 0);
    }
    if (strcmp(path, "/channels") == 0) {
        return fakes_answer(request, 200, fake_channels_show(fakes->channels), 0);
    }
    if (strcmp(path, "/health") == 0) {
        return fakes_answer(request, 200, json_pack("{s:s}", "status", "ok"), 0);
    }
    return fakes_answer_error(request, 404, "no such page");
}

/* --- libmicrohttpd ----------------------------------------------------------------------------------------------- */

static enum MHD_Result on_fakes_request(void *user, struct MHD_Connection *connection, const char *url,
                                        const char *method, const char *version, const char *upload,
                                        size_t *upload_bytes, void **request_state) {
    struct fakes_request *request = *request_state;
    (void)version;
    if (request == NULL) {
        request = calloc(1, sizeof(*request));
        if (request == NULL) {
            return MHD_NO;
        }
        request->connection = connection;
        request->received_ms = fakes_now_ms();
        *request_state = request;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        size_t room = POST_MAX_BYTES - request->body_bytes, taken = herald_min_size(*upload_bytes, room);
        request->too_big = request->too_big || taken < *upload_bytes;
        memcpy(request->body + request->body_bytes, upload, taken);
        request->body_bytes += taken;
        *upload_bytes = 0;
        return MHD_YES;
    }
    return route(user, request, method, url);
}

static void on_request_over(void *user, struct MHD_Connection *connection, void **request_state,
                            enum MHD_RequestTerminationCode how) {
    (void)user;
    (void)connection;
    (void)how;
    free(*request_state);
    *request_state = NULL;
}

static enum herald_code cannot_listen_for_posts(const struct fakes_options *options, const char *why,
                                                struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_CANNOT_LISTEN,
                            "cannot listen on %s port %u: %s; another port can be given with --listen", options->host,
                            (unsigned)options->port, why);
}

static enum herald_code listen_for_posts(struct fakes *fakes, const struct fakes_options *options,
                                         struct herald_error *reterr) {
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *address = NULL;
    snprintf(port, sizeof(port), "%u", (unsigned)options->port);
    int failure = getaddrinfo(options->host, port, &hints, &address);
    if (failure != 0) {
        return cannot_listen_for_posts(options, gai_strerror(failure), reterr);
    }
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    if (address->ai_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    errno = 0;
    fakes->daemon = MHD_start_daemon(flags, options->port, NULL, NULL, on_fakes_request, fakes, MHD_OPTION_SOCK_ADDR,
                                     address->ai_addr, MHD_OPTION_NOTIFY_COMPLETED, on_request_over, NULL,
                                     MHD_OPTION_CONNECTION_TIMEOUT, 120u, MHD_OPTION_END);
    int reason = errno;
    freeaddrinfo(address);
    if (fakes->daemon == NULL) {
        return cannot_listen_for_posts(options, reason != 0 ? strerror(reason) : "the HTTP server did not start",
                                       reterr);
    }
    unsigned bound = MHD_get_daemon_info(fakes->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(fakes->url, sizeof(fakes->url), strchr(options->host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u",
             options->host, bound);
    return HERALD_OK;
}

enum herald_code fakes_start(const struct fakes_options *options, struct fakes **ret_fakes,
                             struct herald_error *reterr) {
    struct fakes *fakes = calloc(1, sizeof(*fakes));
    if (fakes == NULL || (fakes->channels = fake_channels_new()) == NULL) {
        free(fakes);
        return herald_error_no_memory(reterr, "the fake channels");
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&fakes->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&fakes->lock, NULL);
    fakes->chatty = options->chatty;
    fakes->signed_only = options->secret != NULL;
    if (options->secret != NULL) {
        fakes->secret = *options->secret;
    }
    enum herald_code code = listen_for_posts(fakes, options, reterr);
    if (code == HERALD_OK) {
        *ret_fakes = fakes;
    } else {
        fakes_stop(fakes);
    }
    return code;
}

void fakes_stop(struct fakes *fakes) {
    if (fakes == NULL) {
        return;
    }
    pthread_mutex_lock(&fakes->lock);
    fakes->stopping = true;
    pthread_cond_broadcast(&fakes->stop);
    pthread_mutex_unlock(&fakes->lock);
    if (fakes->daemon != NULL) {
        MHD_stop_daemon(fakes->daemon);
    }
    fake_channels_free(fakes->channels);
    pthread_cond_destroy(&fakes->stop);
    pthread_mutex_destroy(&fakes->lock);
    free(fakes);
}

const char *fakes_url(const struct fakes *fakes) {
    return fakes->url;
}

struct fake_channels *fakes_channels(struct fakes *fakes) {
    return fakes->channels;
}
