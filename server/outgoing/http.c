/*
 * An HTTP client: libcurl's multi interface driven by libuv. libcurl says which sockets and which timer to watch; libuv
 * reports their events to libcurl.
 *
 * A POST must never be sent twice without its sender's knowledge. libcurl by itself repeats a request when the peer has
 * closed a reused connection, perhaps after it read the request. So every request but GET and HEAD gets a connection of
 * its own. No redirect, authentication round or "Expect: 100-continue" causes a second sending either.
 *
 * A transfer belongs to the task that waits for it. The task may leave early (deadline, cancellation), or http_close()
 * may come first. Invariant: a transfer is detached from the multi handle exactly once, by the first of the two.
 */
#include "server/outgoing/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#define RESPONSE_MAX_DEFAULT 65536u
#define HEADERS_MAX_BYTES    65536u
#define CONNECTIONS_MAX      64L

struct http {
    CURLM *multi;
    struct loop *loop;
    uv_timer_t timer;
    struct transfer *transfers; /* in the multi handle */
};

struct transfer {
    struct http *http; /* NULL once out of the multi handle */
    struct transfer *prev, *next;
    CURL *easy;
    struct curl_slist *headers;
    const struct http_request *request;
    struct completion completion;
    CURLcode result;
    bool closed; /* http_close() ended it */
    bool too_big;
    char *body;
    size_t body_bytes, body_room, header_bytes;
    char error[CURL_ERROR_SIZE];
};

/* One socket that libcurl wants watched; freed after libuv has closed its handle. */
struct watch {
    uv_poll_t poll;
    struct http *http;
    curl_socket_t socket;
};

/* --- libcurl on libuv -------------------------------------------------------------------------------------------- */

static void detach(struct transfer *transfer) {
    struct http *http = transfer->http;
    if (http == NULL) {
        return;
    }
    transfer->http = NULL;
    curl_multi_remove_handle(http->multi, transfer->easy);
    if (transfer->prev != NULL) {
        transfer->prev->next = transfer->next;
    } else {
        http->transfers = transfer->next;
    }
    if (transfer->next != NULL) {
        transfer->next->prev = transfer->prev;
    }
}

static void finish_transfers(struct http *http) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        struct transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode result = message->data.result; /* removing the handle frees the message */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        transfer->result = result;
        detach(transfer);
        completion_complete(&transfer->completion);
    }
}

static void on_socket_event(uv_poll_t *poll, int status, int events) {
    struct watch *watch = poll->data;
    struct http *http = watch->http;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;
    if (events & UV_READABLE) {
        flags |= CURL_CSELECT_IN;
    }
    if (events & UV_WRITABLE) {
        flags |= CURL_CSELECT_OUT;
    }
    curl_multi_socket_action(http->multi, watch->socket, flags, &running);
    finish_transfers(http);
}

static void on_http_timer(uv_timer_t *timer) {
    struct http *http = timer->data;
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_transfers(http);
}

static void on_watch_closed(uv_handle_t *handle) {
    free(handle->data);
}

static int unwatch_socket(struct http *http, curl_socket_t socket, struct watch *watch) {
    if (watch != NULL) {
        curl_multi_assign(http->multi, socket, NULL);
        uv_poll_stop(&watch->poll);
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
    }
    return 0;
}

static struct watch *watch_new(struct http *http, curl_socket_t socket) {
    struct watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    if (uv_poll_init_socket(loop_uv(http->loop), &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->http = http;
    watch->socket = socket;
    curl_multi_assign(http->multi, socket, watch);
    return watch;
}

static int on_socket_wanted(CURL *easy, curl_socket_t socket, int what, void *user, void *socket_user) {
    struct http *http = user;
    struct watch *watch = socket_user;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        return unwatch_socket(http, socket, watch);
    }
    if (watch == NULL) {
        watch = watch_new(http, socket);
    }
    if (watch == NULL) {
        return -1;
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_socket_event) == 0 ? 0 : -1;
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *user) {
    struct http *http = user;
    (void)multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&http->timer);
    } else {
        uv_timer_start(&http->timer, on_http_timer, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

/* --- life of the client ------------------------------------------------------------------------------------------ */

static CURLcode global_result;

static void init_curl(void) {
    global_result = curl_global_init(CURL_GLOBAL_ALL);
}

static enum herald_code out_of_memory(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_HTTP_NO_MEMORY, "no memory to send an HTTP request");
}

enum herald_code http_open(struct loop *loop, struct http **ret_http, struct herald_error *reterr) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    struct http *http = global_result == CURLE_OK ? calloc(1, sizeof(*http)) : NULL;
    if (http == NULL) {
        return out_of_memory(reterr);
    }
    http->multi = curl_multi_init();
    if (http->multi == NULL) {
        free(http);
        return out_of_memory(reterr);
    }
    http->loop = loop;
    uv_timer_init(loop_uv(loop), &http->timer);
    http->timer.data = http;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    *ret_http = http;
    return HERALD_OK;
}

static void on_http_timer_closed(uv_handle_t *handle) {
    free(handle->data);
}

void http_close(struct http *http) {
    if (http == NULL) {
        return;
    }
    while (http->transfers != NULL) {
        struct transfer *transfer = http->transfers;
        transfer->closed = true;
        detach(transfer);
        completion_complete(&transfer->completion);
    }
    curl_multi_cleanup(http->multi);
    uv_close((uv_handle_t *)&http->timer, on_http_timer_closed);
}

/* --- one transfer ------------------------------------------------------------------------------------------------ */

static size_t response_max(const struct http_request *request) {
    return request->max_response_bytes != 0 ? request->max_response_bytes : RESPONSE_MAX_DEFAULT;
}

static bool make_body_room(struct transfer *transfer, size_t bytes) {
    size_t room = transfer->body_bytes + bytes + 1;
    if (room <= transfer->body_room) {
        return true;
    }
    room = room < 1024 ? 1024 : room * 2;
    char *grown = realloc(transfer->body, room);
    if (grown == NULL) {
        return false;
    }
    transfer->body = grown;
    transfer->body_room = room;
    return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *user) {
    struct transfer *transfer = user;
    size_t bytes = size * count, max = response_max(transfer->request);
    if (bytes > max - transfer->body_bytes || !make_body_room(transfer, bytes)) {
        transfer->too_big = true;
        return CURL_WRITEFUNC_ERROR;
    }
    memcpy(transfer->body + transfer->body_bytes, data, bytes);
    transfer->body_bytes += bytes;
    return bytes;
}

static size_t on_header(char *data, size_t size, size_t count, void *user) {
    struct transfer *transfer = user;
    (void)data;
    transfer->header_bytes += size * count;
    transfer->too_big = transfer->header_bytes > HEADERS_MAX_BYTES;
    return transfer->too_big ? 0 : size * count;
}

static bool may_repeat(const struct http_request *request) {
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

static bool add_header(struct transfer *transfer, const char *header) {
    struct curl_slist *headers = curl_slist_append(transfer->headers, header);
    if (headers != NULL) {
        transfer->headers = headers;
    }
    return headers != NULL;
}

static bool add_headers(struct transfer *transfer) {
    const char *const *header = transfer->request->headers;
    if (!add_header(transfer, "Expect:")) {
        return false;
    }
    for (; header != NULL && *header != NULL; header++) {
        if (!add_header(transfer, *header)) {
            return false;
        }
    }
    return curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK;
}

static void set_method(CURL *easy, const struct http_request *request) {
    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(request->method, "GET") != 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body_bytes > 0 ? request->body : "");
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, may_repeat(request) ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, may_repeat(request) ? 0L : 1L);
}

static void set_options(struct transfer *transfer) {
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* proxy variables of the environment must not redirect signed posts */
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "herald/" HERALD_VERSION);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* leaving early must not wait for a name server */
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)transfer->request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    set_method(easy, transfer->request);
}

static void transfer_fini(struct transfer *transfer) {
    detach(transfer);
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    free(transfer->body);
}

static enum herald_code transfer_init(struct transfer *transfer, const struct http_request *request,
                                      struct herald_error *reterr) {
    *transfer = (struct transfer){.request = request, .easy = curl_easy_init()};
    completion_init(&transfer->completion);
    transfer->completion.what = "an answer over HTTP";
    if (transfer->easy == NULL) {
        return out_of_memory(reterr);
    }
    set_options(transfer);
    if (!add_headers(transfer) || curl_easy_setopt(transfer->easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
        curl_easy_setopt(transfer->easy, CURLOPT_URL, request->url) != CURLE_OK) {
        transfer_fini(transfer);
        return out_of_memory(reterr);
    }
    return HERALD_OK;
}

static enum herald_code attach_transfer(struct http *http, struct transfer *transfer, struct herald_error *reterr) {
    transfer->next = http->transfers;
    if (transfer->next != NULL) {
        transfer->next->prev = transfer;
    }
    http->transfers = transfer;
    transfer->http = http;
    if (curl_multi_add_handle(http->multi, transfer->easy) == CURLM_OK) {
        return HERALD_OK;
    }
    detach(transfer);
    return out_of_memory(reterr);
}

/* --- how a transfer ended ---------------------------------------------------------------------------------------- */

/* Whether the kernel took any byte of the request: from then on the peer may have all of it. */
static bool was_sent(const struct transfer *transfer) {
    long bytes = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

static const char *transfer_failure_text(const struct transfer *transfer) {
    return transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(transfer->result);
}

static enum herald_code failure(const struct transfer *transfer, struct herald_error *reterr) {
    enum herald_code code;
    const char *url = transfer->request->url;
    if (transfer->closed) {
        code = was_sent(transfer) ? herald_error_set(reterr, HERALD_REASON_HTTP_LOST,
                                                     "%s was not answered before the server stopped", url)
                                  : herald_error_set(reterr, HERALD_REASON_HTTP_UNREACHABLE,
                                                     "nothing was sent to %s before the server stopped", url);
    } else if (transfer->too_big) {
        code = herald_error_set(reterr, HERALD_REASON_HTTP_RESPONSE_TOO_BIG, "%s answered with more than %zu bytes",
                                url, response_max(transfer->request));
    } else if (!was_sent(transfer)) {
        code = herald_error_set(reterr, HERALD_REASON_HTTP_UNREACHABLE, "%s cannot be reached: %s", url,
                                transfer_failure_text(transfer));
    } else if (transfer->result == CURLE_OPERATION_TIMEDOUT) {
        code = herald_error_set(reterr, HERALD_REASON_HTTP_TIMEOUT, "%s did not answer in %u ms", url,
                                (unsigned)transfer->request->timeout_ms);
    } else {
        code = herald_error_set(reterr, HERALD_REASON_HTTP_LOST, "%s did not answer: %s", url,
                                transfer_failure_text(transfer));
    }
    if (reterr != NULL && !transfer->closed) {
        snprintf(reterr->origin, sizeof(reterr->origin), "curl %d", (int)transfer->result);
    }
    return code;
}

/* The call ended before the transfer: @call_code says how. */
static enum herald_code left_early(const struct transfer *transfer, enum herald_code call_code,
                                   struct herald_error *reterr) {
    const char *url = transfer->request->url;
    const char *why = call_code == HERALD_DEADLINE_EXCEEDED ? "the call's deadline passed" : "the call was cancelled";
    if (!was_sent(transfer)) {
        return herald_error_set(reterr, HERALD_REASON_HTTP_UNREACHABLE, "nothing was sent to %s before %s", url, why);
    }
    return herald_error_set(
        reterr, call_code == HERALD_DEADLINE_EXCEEDED ? HERALD_REASON_HTTP_TIMEOUT : HERALD_REASON_HTTP_LOST,
        "%s did not answer before %s", url, why);
}

static enum herald_code answer_of_transfer(const struct transfer *transfer, struct http_response *ret_response,
                                           struct herald_error *reterr) {
    long status = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    char *body = arena_alloc(call_arena(), transfer->body_bytes + 1);
    if (body == NULL) {
        return arena_full(reterr, "the answer of %s", transfer->request->url);
    }
    if (transfer->body_bytes > 0) {
        memcpy(body, transfer->body, transfer->body_bytes);
    }
    body[transfer->body_bytes] = '\0';
    *ret_response = (struct http_response){
        .status = (int)status,
        .body = body,
        .body_bytes = transfer->body_bytes,
        .retry_after_s = retry_after_s > UINT32_MAX ? UINT32_MAX : (uint32_t)retry_after_s,
    };
    return HERALD_OK;
}

TASK_FN enum herald_code http_send(struct http *http, const struct http_request *request,
                                   struct http_response *ret_response, struct herald_error *reterr) {
    struct transfer transfer;
    enum herald_code code = transfer_init(&transfer, request, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = attach_transfer(http, &transfer, reterr);
    if (code == HERALD_OK) {
        enum herald_code wait_code = completion_wait(&transfer.completion, NULL);
        detach(&transfer);
        if (wait_code != HERALD_OK) {
            code = left_early(&transfer, wait_code, reterr);
        } else if (transfer.closed || transfer.result != CURLE_OK) {
            code = failure(&transfer, reterr);
        } else {
            code = answer_of_transfer(&transfer, ret_response, reterr);
        }
    }
    transfer_fini(&transfer);
    return code;
}
