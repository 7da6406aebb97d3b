/*
 * An HTTP client on libcurl's multi interface.
 *
 * A POST must never be sent twice without its sender's knowledge. libcurl by itself sends a request again on a new
 * connection when a reused one ended before a byte of an answer came, perhaps after the peer read the request; with an
 * empty body nothing has to be rewound, so no seek function is asked either. But before each sending libcurl calls
 * CURLOPT_PREREQFUNCTION, and before each new connection CURLOPT_OPENSOCKETFUNCTION. Both refuse once a byte of a
 * request other than GET and HEAD was sent. No redirect, authentication round or "Expect: 100-continue" causes a second
 * sending either.
 *
 * A transfer belongs to the task that waits for it. The task may leave early (deadline, cancellation), or http_close()
 * may come first. Invariant: a transfer is detached from the multi handle exactly once, by the first of the two, and
 * never while libcurl is on the stack.
 */
#include "server/outgoing/http.h"

#include "server/outgoing/http_head.h"
#include "server/outgoing/http_multi.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESPONSE_MAX_DEFAULT 65536u
#define BODY_WAIT_MS         2000u
#define IDLE_MAX             256u   /* connections left open */
#define IDLE_MAX_S           3L     /* less than any server's own limit: 5 s is the shortest common one */
#define READ_BUFFER_BYTES    1024L  /* held by each waiting request; libcurl takes no less */
#define UPLOAD_BUFFER_BYTES  16384L /* likewise, over TLS */
#define SPARE_HANDLES_MAX    64u

struct http {
    struct http_multi *multi;
    struct transfer *transfers; /* in the multi handle */
    unsigned transfer_count;
    CURL *spare[SPARE_HANDLES_MAX]; /* with the options that never change */
    unsigned spare_count;
};

struct transfer {
    struct http *http; /* NULL once out of the multi handle */
    struct transfer *prev, *next;
    CURL *easy;
    const struct http_request *request;
    struct http_head head;
    struct completion head_came; /* or the transfer has ended without one */
    struct completion ended;
    CURLcode result;     /* once ended */
    int socket_errno;    /* of the latest socket that could not be made; 0: none */
    bool closed;         /* http_close() ended it */
    bool begun;          /* libcurl has begun to send the request */
    bool repeat_refused; /* libcurl wanted to send it again */
    bool body_cut;
    int64_t received_us; /* when the head came, on the wall clock */
    char *body;
    size_t body_bytes, body_room;
    char error[CURL_ERROR_SIZE];
};

/* --- life of the client ------------------------------------------------------------------------------------------ */

static CURLcode global_result;

static void init_curl(void) {
    global_result = curl_global_init(CURL_GLOBAL_ALL);
}

static enum herald_code http_no_memory(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_HTTP_NO_MEMORY, "no memory to send an HTTP request");
}

static void end_transfer(struct transfer *transfer, CURLcode result) {
    if (!transfer->ended.done) {
        transfer->result = result;
        completion_complete(&transfer->head_came);
        completion_complete(&transfer->ended);
    }
}

static void on_transfer_ended(void *transfer, CURLcode result) {
    end_transfer(transfer, result);
}

enum herald_code http_open(struct loop *loop, struct http **ret_http, struct herald_error *reterr) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    struct http *http = global_result == CURLE_OK ? calloc(1, sizeof(*http)) : NULL;
    if (http == NULL) {
        return http_no_memory(reterr);
    }
    http->multi = http_multi_open(loop, on_transfer_ended);
    if (http->multi == NULL) {
        free(http);
        return http_no_memory(reterr);
    }
    *ret_http = http;
    return HERALD_OK;
}

/* libcurl's limit counts the connections in use too. */
static void limit_connections(const struct http *http) {
    curl_multi_setopt(http_multi_handle(http->multi), CURLMOPT_MAXCONNECTS, (long)(http->transfer_count + IDLE_MAX));
}

static void detach(struct transfer *transfer) {
    struct http *http = transfer->http;
    if (http == NULL) {
        return;
    }
    transfer->http = NULL;
    curl_multi_remove_handle(http_multi_handle(http->multi), transfer->easy);
    if (transfer->prev != NULL) {
        transfer->prev->next = transfer->next;
    } else {
        http->transfers = transfer->next;
    }
    if (transfer->next != NULL) {
        transfer->next->prev = transfer->prev;
    }
    http->transfer_count--;
    limit_connections(http);
}

void http_close(struct http *http) {
    if (http == NULL) {
        return;
    }
    while (http->transfers != NULL) {
        struct transfer *transfer = http->transfers;
        transfer->closed = !transfer->ended.done;
        end_transfer(transfer, CURLE_ABORTED_BY_CALLBACK);
        detach(transfer);
    }
    while (http->spare_count > 0) {
        curl_easy_cleanup(http->spare[--http->spare_count]);
    }
    http_multi_close(http->multi);
    free(http);
}

/* --- what libcurl asks and tells --------------------------------------------------------------------------------- */

static bool may_repeat(const struct http_request *request) {
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

/*
 * Whether the kernel may have taken a byte of the request: from then on the peer may have all of it. libcurl counts
 * what it wrote, but over TLS it may write a part and count nothing.
 */
static bool was_sent(const struct transfer *transfer) {
    long bytes = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0 || (transfer->begun && strncasecmp(transfer->request->url, "https:", 6) == 0);
}

static bool is_forbidden_repeat(struct transfer *transfer) {
    transfer->repeat_refused = !may_repeat(transfer->request) && was_sent(transfer);
    return transfer->repeat_refused;
}

static int on_sending(void *user, char *peer_ip, char *own_ip, int peer_port, int own_port) {
    struct transfer *transfer = user;
    (void)peer_ip, (void)own_ip, (void)peer_port, (void)own_port;
    if (is_forbidden_repeat(transfer)) {
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->begun = true;
    return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_socket_needed(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
    struct transfer *transfer = user;
    (void)purpose;
    if (is_forbidden_repeat(transfer)) {
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    transfer->socket_errno = fd < 0 ? errno : transfer->socket_errno;
    if (fd >= 0 && !http_multi_add_socket(transfer->http->multi, fd)) {
        transfer->socket_errno = ENOMEM;
        close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

static int on_socket_over(void *user, curl_socket_t fd) {
    http_multi_remove_socket(user, fd);
    return close(fd);
}

static size_t response_max(const struct http_request *request) {
    return request->max_response_bytes != 0 ? request->max_response_bytes : RESPONSE_MAX_DEFAULT;
}

static bool make_body_room(struct transfer *transfer, size_t bytes) {
    size_t room = transfer->body_bytes + bytes;
    if (room <= transfer->body_room) {
        return true;
    }
    room = room < 512 ? 512 : room * 2;
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
    size_t bytes = size * count, left = response_max(transfer->request) - transfer->body_bytes;
    size_t taken = bytes < left ? bytes : left;
    bool room = make_body_room(transfer, taken);
    if (room && taken > 0) {
        memcpy(transfer->body + transfer->body_bytes, data, taken);
        transfer->body_bytes += taken;
    }
    transfer->body_cut = !room || taken < bytes;
    return transfer->body_cut ? CURL_WRITEFUNC_ERROR : bytes;
}

static size_t on_head_line(char *data, size_t size, size_t count, void *user) {
    struct transfer *transfer = user;
    bool came = transfer->head.done;
    if (!http_head_line(&transfer->head, data, size * count)) {
        return 0;
    }
    if (transfer->head.done && !came) {
        transfer->received_us = clock_wall_us();
        completion_complete(&transfer->head_came);
    }
    return size * count;
}

/* --- one transfer ------------------------------------------------------------------------------------------------ */

/* Options that are the same for each request; a handle keeps them while it is spare. */
static bool set_lasting_options(CURL *easy, struct http_multi *multi) {
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* proxy variables of the environment must not redirect signed posts */
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* leaving early must not wait for a name server */
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head_line);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_sending);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket_needed);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_socket_over);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, multi);
    return curl_easy_setopt(easy, CURLOPT_USERAGENT, "herald/" HERALD_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
}

static CURL *take_handle(struct http *http) {
    if (http->spare_count > 0) {
        return http->spare[--http->spare_count];
    }
    CURL *easy = curl_easy_init();
    if (easy != NULL && !set_lasting_options(easy, http->multi)) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

/* @http  NULL: the client is closed */
static void give_handle_back(struct http *http, CURL *easy) {
    if (http == NULL || easy == NULL || http->spare_count == SPARE_HANDLES_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
    http->spare[http->spare_count++] = easy;
}

/* Links the request's headers, which libcurl neither copies nor frees. */
static bool set_headers(const struct transfer *transfer) {
    const char *const *headers = transfer->request->headers;
    size_t count = 0;
    while (headers != NULL && headers[count] != NULL) {
        count++;
    }
    struct curl_slist *links = arena_alloc(call_arena(), (count + 1) * sizeof(*links));
    if (links == NULL) {
        return false;
    }
    static char no_expect[] = "Expect:";
    links[0] = (struct curl_slist){.data = no_expect};
    for (size_t i = 0; i < count; i++) {
        links[i + 1] = (struct curl_slist){.data = (char *)headers[i]};
        links[i].next = &links[i + 1];
    }
    return curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, links) == CURLE_OK;
}

/* What it does not set would stay as the handle's last request has left it. False: no memory. */
static bool set_method(CURL *easy, const struct http_request *request) {
    bool head = strcmp(request->method, "HEAD") == 0, get = strcmp(request->method, "GET") == 0;
    bool custom = !head && !get && strcmp(request->method, "POST") != 0;
    /* undoes what an earlier request of the handle has set */
    bool set = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    if (head) {
        set = set && curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    } else if (!get) {
        const char *body = request->body_bytes > 0 ? request->body : "";
        set = set && curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK;
    }
    bool reuse = request->reuse || may_repeat(request);
    return set && curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, reuse ? 0L : 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, reuse ? 0L : 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, custom ? request->method : NULL) == CURLE_OK;
}

/* False: no memory. */
static bool set_options(struct transfer *transfer) {
    CURL *easy = transfer->easy;
    return curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)transfer->request->timeout_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) == CURLE_OK &&
           set_method(easy, transfer->request) &&
           curl_easy_setopt(easy, CURLOPT_URL, transfer->request->url) == CURLE_OK;
}

static enum herald_code attach_transfer(struct http *http, struct transfer *transfer, struct herald_error *reterr) {
    transfer->next = http->transfers;
    if (transfer->next != NULL) {
        transfer->next->prev = transfer;
    }
    http->transfers = transfer;
    http->transfer_count++;
    transfer->http = http;
    limit_connections(http);
    if (curl_multi_add_handle(http_multi_handle(http->multi), transfer->easy) == CURLM_OK) {
        return HERALD_OK;
    }
    detach(transfer);
    return http_no_memory(reterr);
}

static enum herald_code transfer_begin(struct transfer *transfer, struct http *http, const struct http_request *request,
                                       struct herald_error *reterr) {
    *transfer =
        (struct transfer){.request = request, .easy = take_handle(http), .head = {.wanted = request->wanted_headers}};
    completion_init(&transfer->head_came);
    completion_init(&transfer->ended);
    transfer->head_came.what = "an answer over HTTP";
    transfer->ended.what = "the body of an answer over HTTP";
    if (transfer->easy == NULL || !set_options(transfer)) {
        return http_no_memory(reterr);
    }
    if (!set_headers(transfer)) {
        return arena_full(reterr, "the headers of a request to %s", request->url);
    }
    return attach_transfer(http, transfer, reterr);
}

static void transfer_fini(struct transfer *transfer) {
    struct http *http = transfer->http;
    detach(transfer);
    give_handle_back(http, transfer->easy);
    http_head_clear(&transfer->head);
    free(transfer->body);
}

/* --- how a transfer ended ---------------------------------------------------------------------------------------- */

static const char *transfer_failure_text(const struct transfer *transfer) {
    return transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(transfer->result);
}

/* Whether the process or the system has no descriptor left. Other code than ours may have met it first. */
static bool descriptors_are_used_up(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool used_up = fd < 0 && (errno == EMFILE || errno == ENFILE);
    if (fd >= 0) {
        close(fd);
    }
    return used_up;
}

/* What Herald itself lacked, so that nothing was sent: EMFILE, ENOMEM; 0: nothing. */
static int own_want(const struct transfer *transfer) {
    switch (transfer->result) {
    case CURLE_COULDNT_CONNECT:
        break;
    case CURLE_OUT_OF_MEMORY:
        return descriptors_are_used_up() ? EMFILE : ENOMEM;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_FAILED_INIT:
        return descriptors_are_used_up() ? EMFILE : 0;
    default:
        return 0;
    }
    switch (transfer->socket_errno) {
    case EMFILE:
    case ENFILE:
        return EMFILE;
    case ENOMEM:
    case ENOBUFS:
        return ENOMEM;
    default:
        return 0;
    }
}

static bool is_tls_failure(CURLcode result) {
    switch (result) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return true;
    default:
        return false;
    }
}

static enum herald_code not_sent(const struct transfer *transfer, struct herald_error *reterr) {
    const char *url = transfer->request->url;
    if (transfer->closed) {
        return herald_error_set(reterr, HERALD_REASON_HTTP_UNREACHABLE,
                                "nothing was sent to %s before the server stopped", url);
    }
    switch (own_want(transfer)) {
    case EMFILE:
        return herald_error_set(reterr, HERALD_REASON_HTTP_NO_DESCRIPTORS,
                                "no file descriptor is left for a connection to %s", url);
    case ENOMEM:
        return http_no_memory(reterr);
    default:
        break;
    }
    if (is_tls_failure(transfer->result)) {
        return herald_error_set(reterr, HERALD_REASON_HTTP_TLS_FAILED, "no TLS with %s: %s", url,
                                transfer_failure_text(transfer));
    }
    return herald_error_set(reterr, HERALD_REASON_HTTP_UNREACHABLE, "%s cannot be reached: %s", url,
                            transfer_failure_text(transfer));
}

static enum herald_code no_answer(const struct transfer *transfer, struct herald_error *reterr) {
    const char *url = transfer->request->url;
    if (transfer->closed) {
        return herald_error_set(reterr, HERALD_REASON_HTTP_LOST, "%s was not answered before the server stopped", url);
    }
    if (transfer->result == CURLE_OPERATION_TIMEDOUT) {
        return herald_error_set(reterr, HERALD_REASON_HTTP_TIMEOUT, "%s did not answer in %u ms", url,
                                (unsigned)transfer->request->timeout_ms);
    }
    if (transfer->repeat_refused) {
        return herald_error_set(reterr, HERALD_REASON_HTTP_LOST, "%s closed a kept connection and did not answer", url);
    }
    if (transfer->result == CURLE_WRITE_ERROR) {
        return herald_error_set(reterr, HERALD_REASON_HTTP_LOST, "%s answered with headers that are not accepted", url);
    }
    return herald_error_set(reterr, HERALD_REASON_HTTP_LOST, "%s did not answer: %s", url,
                            transfer_failure_text(transfer));
}

static enum herald_code transfer_failure(const struct transfer *transfer, struct herald_error *reterr) {
    enum herald_code code = was_sent(transfer) ? no_answer(transfer, reterr) : not_sent(transfer, reterr);
    if (reterr != NULL && !transfer->closed) {
        snprintf(reterr->origin, sizeof(reterr->origin), "curl %d", (int)transfer->result);
    }
    return code;
}

/* The call ended before the head came: @call_code says how. */
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

/*
 * Whether the peer has answered. The status line counts by itself where libcurl refuses to go on only because of a
 * header that says how the body is sent.
 */
static bool has_answer(const struct transfer *transfer) {
    return transfer->head.done ||
           (transfer->ended.done && transfer->head.status >= 200 &&
            (transfer->result == CURLE_WEIRD_SERVER_REPLY || transfer->result == CURLE_BAD_CONTENT_ENCODING));
}

static struct http_response answer_of_transfer(const struct transfer *transfer) {
    const struct http_head *head = &transfer->head;
    int64_t received_us = head->done ? transfer->received_us : clock_wall_us();
    struct http_response response = {
        .status = head->status,
        .body = arena_alloc(call_arena(), transfer->body_bytes + 1),
        .body_bytes = transfer->body_bytes,
        .body_cut = transfer->body_cut,
        .retry_at_us = http_head_retry_at_us(head, received_us),
        .date_said = head->date_said,
        .clock_ahead_ms = head->date_said ? head->date_s * 1000 - received_us / 1000 : 0,
    };
    if (response.body == NULL) {
        static char empty[1];
        response.body = empty;
        response.body_bytes = 0;
        response.body_cut = true;
    } else if (response.body_bytes > 0) {
        memcpy(response.body, transfer->body, response.body_bytes);
    }
    response.body[response.body_bytes] = '\0';
    response.body_is_whole = transfer->ended.done && transfer->result == CURLE_OK && !response.body_cut;
    for (size_t i = 0; i < HTTP_WANTED_MAX; i++) {
        response.wanted[i] = head->values[i] != NULL ? arena_strdup(call_arena(), head->values[i]) : NULL;
    }
    return response;
}

TASK_FN enum herald_code http_send(struct http *http, const struct http_request *request,
                                   struct http_response *ret_response, struct herald_error *reterr) {
    struct transfer transfer;
    enum herald_code code = transfer_begin(&transfer, http, request, reterr);
    if (code == HERALD_OK) {
        enum herald_code call_code = completion_wait(&transfer.head_came, NULL);
        if (transfer.head.done) {
            (void)completion_wait_for(&transfer.ended, BODY_WAIT_MS, NULL);
        }
        if (has_answer(&transfer)) {
            *ret_response = answer_of_transfer(&transfer);
        } else if (transfer.ended.done) {
            code = transfer_failure(&transfer, reterr);
        } else {
            code = left_early(&transfer, call_code, reterr);
        }
    }
    transfer_fini(&transfer);
    return code;
}
