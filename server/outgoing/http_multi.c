/*
 * libcurl's multi handle on a libuv loop. A callback that returns -1 to libcurl kills the multi handle with all that is
 * in it, so a socket that cannot be watched ends its own transfer instead.
 *
 * A connection that is kept open carries one request after the other, and libcurl wants its socket watched for each of
 * them anew. Each change of what libuv watches is a call or two of the system. So a connection's socket is given to
 * libuv once, and its watch stays as it was when libcurl lets go of it, until it is wanted otherwise or closed.
 */
#include "server/outgoing/http_multi.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct http_multi {
    CURLM *curl;
    struct loop *loop;
    http_ended_fn *on_ended;
    uv_timer_t timer;
    struct http_watch **watches; /* by socket */
    size_t watches_room;
};

/* One socket that libcurl has wanted watched; freed after libuv has closed its handle. */
struct http_watch {
    uv_poll_t poll;
    struct http_multi *multi;
    curl_socket_t socket;
    bool kept;   /* until http_multi_remove_socket() */
    int wanted;  /* events that libcurl wants, as libuv names them */
    int watched; /* events that libuv watches */
};

static void report_ended(struct http_multi *multi) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi->curl, &left)) != NULL) {
        char *transfer = NULL;
        if (message->msg == CURLMSG_DONE) {
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
            multi->on_ended(transfer, message->data.result);
        }
    }
}

static void on_socket_event(uv_poll_t *poll, int status, int events);

/* False: it cannot be watched. */
static bool watch_for(struct http_watch *watch, int events) {
    if (watch->watched != events) {
        watch->watched = uv_poll_start(&watch->poll, events, on_socket_event) == 0 ? events : 0;
    }
    return watch->watched == events;
}

static void stop_watch(struct http_watch *watch) {
    uv_poll_stop(&watch->poll);
    watch->watched = 0;
}

/*
 * libuv reports a connection that was reset as an error alone, and stops watching it. Bytes that came before the reset,
 * perhaps a whole answer, still lie in the socket: libcurl reads on, a piece each time, until it meets the error itself.
 */
static void on_socket_event(uv_poll_t *poll, int status, int events) {
    struct http_watch *watch = poll->data;
    struct http_multi *multi = watch->multi;
    int flags = status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0, running;
    if (watch->wanted == 0) {
        stop_watch(watch); /* an idle connection has ended: libcurl sees it when it wants to use it */
        return;
    }
    if (status < 0) {
        watch->watched = 0;
    }
    if (events & UV_READABLE) {
        flags |= CURL_CSELECT_IN;
    }
    if (events & UV_WRITABLE) {
        flags |= CURL_CSELECT_OUT;
    }
    curl_multi_socket_action(multi->curl, watch->socket, flags, &running);
    if (!uv_is_closing((uv_handle_t *)poll) && watch->wanted != 0) {
        (void)watch_for(watch, watch->wanted);
    }
    report_ended(multi);
}

static void on_http_timer(uv_timer_t *timer) {
    struct http_multi *multi = timer->data;
    int running;
    curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    report_ended(multi);
}

/* ---- sockets ---- */

static void on_watch_closed(uv_handle_t *handle) {
    free(handle->data);
}

static struct http_watch *watch_of(const struct http_multi *multi, curl_socket_t socket) {
    return (size_t)socket < multi->watches_room ? multi->watches[socket] : NULL;
}

static bool make_room_for_watch(struct http_multi *multi, curl_socket_t socket) {
    size_t room = multi->watches_room == 0 ? 64 : multi->watches_room;
    while (room <= (size_t)socket) {
        room *= 2;
    }
    if (room == multi->watches_room) {
        return true;
    }
    struct http_watch **watches = realloc(multi->watches, room * sizeof(struct http_watch *));
    if (watches == NULL) {
        return false;
    }
    memset(watches + multi->watches_room, 0, (room - multi->watches_room) * sizeof(struct http_watch *));
    multi->watches = watches;
    multi->watches_room = room;
    return true;
}

/* Makes a watch that watches for nothing yet. NULL: no memory. */
static struct http_watch *watch_new(struct http_multi *multi, curl_socket_t socket) {
    struct http_watch *watch = make_room_for_watch(multi, socket) ? calloc(1, sizeof(*watch)) : NULL;
    if (watch == NULL) {
        return NULL;
    }
    if (uv_poll_init_socket(loop_uv(multi->loop), &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    uv_unref((uv_handle_t *)&watch->poll); /* who waits for a transfer keeps the loop alive */
    watch->poll.data = watch;
    watch->multi = multi;
    watch->socket = socket;
    multi->watches[socket] = watch;
    return watch;
}

static void watch_close(struct http_watch *watch) {
    watch->multi->watches[watch->socket] = NULL;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

/* libcurl closes some sockets by itself, such as those that are not connected: what is left of one is of an earlier socket. */
bool http_multi_add_socket(struct http_multi *multi, curl_socket_t socket) {
    struct http_watch *watch = watch_of(multi, socket);
    if (watch != NULL) {
        watch_close(watch);
    }
    watch = watch_new(multi, socket);
    if (watch != NULL) {
        watch->kept = true;
    }
    return watch != NULL;
}

void http_multi_remove_socket(struct http_multi *multi, curl_socket_t socket) {
    struct http_watch *watch = watch_of(multi, socket);
    if (watch != NULL) {
        watch_close(watch);
    }
}

/*
 * libcurl wants a socket watched no more. One that is watched for room would be reported again and again; it is not
 * connected yet, as a rule, and libcurl may close it next, without a word.
 */
static void watch_let_go(struct http_watch *watch) {
    watch->wanted = 0;
    if (!watch->kept || watch->watched & UV_WRITABLE) {
        watch_close(watch);
    }
}

static int on_socket_wanted(CURL *easy, curl_socket_t socket, int what, void *user, void *socket_user) {
    struct http_multi *multi = user;
    struct http_watch *watch = watch_of(multi, socket);
    (void)socket_user;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            watch_let_go(watch);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_new(multi, socket);
    }
    if (watch != NULL) {
        watch->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    }
    if (watch == NULL || !watch_for(watch, watch->wanted)) {
        char *transfer = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        if (transfer != NULL) {
            multi->on_ended(transfer, CURLE_OUT_OF_MEMORY);
        }
    }
    return 0;
}

static int on_timer_wanted(CURLM *curl, long timeout_ms, void *user) {
    struct http_multi *multi = user;
    (void)curl;
    if (timeout_ms < 0) {
        uv_timer_stop(&multi->timer);
    } else {
        uv_timer_start(&multi->timer, on_http_timer, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

struct http_multi *http_multi_open(struct loop *loop, http_ended_fn *on_ended) {
    struct http_multi *multi = calloc(1, sizeof(*multi));
    CURLM *curl = multi != NULL ? curl_multi_init() : NULL;
    if (curl == NULL) {
        free(multi);
        return NULL;
    }
    multi->curl = curl;
    multi->loop = loop;
    multi->on_ended = on_ended;
    uv_timer_init(loop_uv(loop), &multi->timer);
    multi->timer.data = multi;
    curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(curl, CURLMOPT_TIMERDATA, multi);
    return multi;
}

static void on_http_timer_closed(uv_handle_t *handle) {
    free(handle->data);
}

void http_multi_close(struct http_multi *multi) {
    curl_multi_cleanup(multi->curl);
    for (size_t i = 0; i < multi->watches_room; i++) {
        if (multi->watches[i] != NULL) {
            watch_close(multi->watches[i]);
        }
    }
    free(multi->watches);
    uv_close((uv_handle_t *)&multi->timer, on_http_timer_closed);
}

CURLM *http_multi_handle(struct http_multi *multi) {
    return multi->curl;
}
