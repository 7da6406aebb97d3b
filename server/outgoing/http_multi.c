/*
 * libcurl's multi handle on a libuv loop. A callback that returns -1 to libcurl kills the multi handle with all that is
 * in it, so a socket that cannot be watched ends its own transfer instead.
 */
#include "server/outgoing/http_multi.h"

#include <stdlib.h>
#include <uv.h>

struct http_multi {
    CURLM *curl;
    struct loop *loop;
    http_ended_fn *on_ended;
    uv_timer_t timer;
};

/* One socket that libcurl wants watched; freed after libuv has closed its handle. */
struct http_watch {
    uv_poll_t poll;
    struct http_multi *multi;
    curl_socket_t socket;
    int events; /* that libcurl wants, as libuv names them */
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

/*
 * libuv reports a connection that was reset as an error alone, and stops watching it. Bytes that came before the reset,
 * perhaps a whole answer, still lie in the socket: libcurl reads on, a piece each time, until it meets the error itself.
 */
static void on_socket_event(uv_poll_t *poll, int status, int events) {
    const struct http_watch *watch = poll->data;
    struct http_multi *multi = watch->multi;
    int flags = status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0, running;
    if (events & UV_READABLE) {
        flags |= CURL_CSELECT_IN;
    }
    if (events & UV_WRITABLE) {
        flags |= CURL_CSELECT_OUT;
    }
    curl_multi_socket_action(multi->curl, watch->socket, flags, &running);
    if (status < 0 && !uv_is_closing((uv_handle_t *)poll)) {
        (void)uv_poll_start(poll, watch->events, on_socket_event);
    }
    report_ended(multi);
}

static void on_http_timer(uv_timer_t *timer) {
    struct http_multi *multi = timer->data;
    int running;
    curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    report_ended(multi);
}

static void on_watch_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void unwatch_socket(const struct http_multi *multi, curl_socket_t socket, struct http_watch *watch) {
    if (watch != NULL) {
        curl_multi_assign(multi->curl, socket, NULL);
        uv_poll_stop(&watch->poll);
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
    }
}

static struct http_watch *watch_new(struct http_multi *multi, curl_socket_t socket) {
    struct http_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    if (uv_poll_init_socket(loop_uv(multi->loop), &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->multi = multi;
    watch->socket = socket;
    if (curl_multi_assign(multi->curl, socket, watch) != CURLM_OK) {
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        return NULL;
    }
    return watch;
}

static bool watch_for(struct http_watch *watch, int what) {
    watch->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, watch->events, on_socket_event) == 0;
}

static int on_socket_wanted(CURL *easy, curl_socket_t socket, int what, void *user, void *socket_user) {
    struct http_multi *multi = user;
    struct http_watch *watch = socket_user;
    if (what == CURL_POLL_REMOVE) {
        unwatch_socket(multi, socket, watch);
        return 0;
    }
    if (watch == NULL) {
        watch = watch_new(multi, socket);
    }
    if (watch == NULL || !watch_for(watch, what)) {
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
    uv_close((uv_handle_t *)&multi->timer, on_http_timer_closed);
}

CURLM *http_multi_handle(struct http_multi *multi) {
    return multi->curl;
}
