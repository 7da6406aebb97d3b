/*
 * Answers. Those that libmicrohttpd would never send, such as a body shorter than its length, are written to the socket
 * here; the connection is then closed without another byte.
 */
#include "client/base/clock.h"
#include "deploy/fakes/fakes_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define DRIP_MS    200
#define HUGE_BYTES (64u << 20)
#define JSON_TYPE  "application/json"

static const char BLOG_PAGE[] = "<!doctype html><meta charset=utf-8><title>Naver Blog</title><p>published</p>\n";
static const char PAGE[] = "<!doctype html><title>502</title><p>Bad gateway</p>\n";

int64_t fakes_now_ms(void) {
    return herald_wall_us() / 1000;
}

const char *fakes_header(const struct fakes_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static void add_retry_after(struct MHD_Response *response, const struct fake_behaviour *behaviour) {
    char text[64];
    if (behaviour->retry_after_s == 0) {
        return;
    }
    snprintf(text, sizeof(text), "%u", (unsigned)behaviour->retry_after_s);
    if (behaviour->retry_after_date) {
        struct tm then;
        time_t then_s = (time_t)(herald_wall_us() / 1000000 + behaviour->retry_after_s);
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then_s, &then));
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, text);
}

/* @response  its reference is taken; NULL: no memory */
static enum MHD_Result queue_answer(struct fakes_request *request, unsigned status, const char *content_type,
                                    struct MHD_Response *response) {
    if (response == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    enum fake_mode mode = request->taken.behaviour.mode;
    if (request->protocol != NULL && (mode == FAKE_FAIL || mode == FAKE_REJECT)) {
        add_retry_after(response, &request->taken.behaviour);
    }
    enum MHD_Result result = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result fakes_answer_text(struct fakes_request *request, unsigned status, const char *content_type,
                                  char *text) {
    if (text == NULL) {
        return MHD_NO;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
    }
    return queue_answer(request, status, content_type, response);
}

enum MHD_Result fakes_answer(struct fakes_request *request, unsigned status, json_t *json) {
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : strdup("");
    json_decref(json);
    return fakes_answer_text(request, status, JSON_TYPE, text);
}

enum MHD_Result fakes_answer_error(struct fakes_request *request, unsigned status, const char *code,
                                   const char *message) {
    return fakes_answer(request, status, json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message));
}

/* --- answers that are not whole ---------------------------------------------------------------------------------- */

/* The socket; -1: bytes can not be written past TLS. */
static int socket_of(const struct fakes_request *request) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return request->over_tls || info == NULL ? -1 : info->connect_fd;
}

/* Writes bytes as they are. They are few: the socket's buffer has room. */
static bool write_raw(const struct fakes_request *request, const char *bytes, size_t count) {
    return send(socket_of(request), bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)count;
}

enum MHD_Result fakes_reset(struct fakes_request *request) {
    /* Disconnecting an established TCP socket sends RST at once. */
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    (void)connect(socket_of(request), &nowhere, sizeof(nowhere));
    return MHD_NO;
}

static enum MHD_Result send_cut(struct fakes_request *request, const char *body) {
    char text[1024];
    int bytes = snprintf(text, sizeof(text),
                         "HTTP/1.1 %u Accepted\r\ncontent-type: " JSON_TYPE "\r\ncontent-length: %zu\r\n\r\n%.*s",
                         request->status, strlen(body) + 100, 512, body);
    (void)write_raw(request, text, (size_t)bytes);
    return MHD_NO;
}

static enum MHD_Result send_bad_chunk(struct fakes_request *request, const char *body) {
    char text[1024];
    int bytes = snprintf(text, sizeof(text),
                         "HTTP/1.1 %u Accepted\r\ncontent-type: " JSON_TYPE
                         "\r\ntransfer-encoding: chunked\r\n\r\nsize?\r\n%.*s\r\n",
                         request->status, 512, body);
    (void)write_raw(request, text, (size_t)bytes);
    return MHD_NO;
}

static uint32_t drip_ms(const struct fakes_request *request) {
    uint32_t ms = request->taken.behaviour.drip_ms;
    return ms > 0 ? ms : DRIP_MS;
}

static enum MHD_Result send_drip(struct fakes_request *request, const char *body) {
    char head[256];
    int bytes = snprintf(head, sizeof(head),
                         "HTTP/1.1 %u Accepted\r\ncontent-type: " JSON_TYPE
                         "\r\ncontent-length: %zu\r\nconnection: close\r\n\r\n",
                         request->status, strlen(body));
    request->drip = strdup(body);
    request->drip_bytes = strlen(body);
    if (request->drip == NULL || !write_raw(request, head, (size_t)bytes)) {
        return MHD_NO;
    }
    return fakes_wait(request, drip_ms(request));
}

void fakes_drip(struct fakes_request *request) {
    bool written = write_raw(request, request->drip + request->drip_at, 1);
    if (written && ++request->drip_at < request->drip_bytes) {
        fakes_wait_again(request, drip_ms(request));
    } else {
        fakes_wake(request, FAKES_OVER);
    }
}

/* Of a huge body: {"id":"xxxx… and never its end. */
static ssize_t fill_huge(void *user, uint64_t at, char *buffer, size_t bytes) {
    static const char BEGIN[] = "{\"id\":\"";
    (void)user;
    memset(buffer, 'x', bytes);
    if (at == 0) {
        memcpy(buffer, BEGIN, bytes < sizeof(BEGIN) - 1 ? bytes : sizeof(BEGIN) - 1);
    }
    return (ssize_t)bytes;
}

static enum MHD_Result send_huge(struct fakes_request *request) {
    uint32_t bytes = request->taken.behaviour.huge_bytes;
    return queue_answer(
        request, request->status, JSON_TYPE,
        MHD_create_response_from_callback(bytes > 0 ? bytes : HUGE_BYTES, 65536, fill_huge, NULL, NULL));
}

/* --- the answer of a call ---------------------------------------------------------------------------------------- */

static void spoil_id(struct fakes_request *request) {
    const char *member = request->protocol->id_member;
    if (json_object_get(request->answer, member) == NULL) {
        return;
    }
    if (request->taken.behaviour.mode == FAKE_NO_ID) {
        json_object_del(request->answer, member);
    } else {
        json_object_set_new(request->answer, member, json_integer(request->received_ms));
    }
}

static enum MHD_Result send_spoilt(struct fakes_request *request, const char *body) {
    switch (request->taken.behaviour.mode) {
    case FAKE_CUT:
        return send_cut(request, body);
    case FAKE_BAD_CHUNK:
        return send_bad_chunk(request, body);
    default:
        return send_drip(request, body);
    }
}

/* The whole body; free(). NULL without memory. */
static char *whole_body(const struct fakes_request *request) {
    if (request->step == FAKE_STEP_PAGE && request->status == 200) {
        return strdup(BLOG_PAGE);
    }
    return request->answer != NULL ? json_dumps(request->answer, JSON_COMPACT) : strdup("");
}

enum MHD_Result fakes_send(struct fakes_request *request) {
    enum fake_mode mode = request->taken.behaviour.mode;
    bool accepted = request->status < 300;
    if (accepted && mode == FAKE_HUGE) {
        return send_huge(request);
    }
    if (accepted && mode == FAKE_NOT_JSON) {
        return fakes_answer_text(request, request->status, "text/html", strdup(PAGE));
    }
    if (accepted && (mode == FAKE_NUMERIC_ID || mode == FAKE_NO_ID)) {
        spoil_id(request);
    }
    char *body = whole_body(request);
    if (accepted && body != NULL && (mode == FAKE_CUT || mode == FAKE_BAD_CHUNK || mode == FAKE_DRIP)) {
        enum MHD_Result result = send_spoilt(request, body);
        free(body);
        return result;
    }
    bool is_page = accepted && request->step == FAKE_STEP_PAGE;
    return fakes_answer_text(request, request->status, is_page ? "text/html" : JSON_TYPE, body);
}
