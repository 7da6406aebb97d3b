/*
 * Connections, as connection.h has them. Everything but http_server's counters belongs to the port's loop.
 *
 * A request is taken off the received bytes once it is whole. While a task answers it, the connection reads on, so that
 * it notices when the peer goes away; up to IN_MAX bytes of further requests wait meanwhile.
 */
#include "server/gateway/connection.h"

#include "server/gateway/connection_private.h"
#include "server/runtime/task.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Bytes of further requests that wait while one is answered. */
#define IN_MAX 65536u
/* Bytes of a stream that its peer has not taken yet. */
#define STREAM_MAX (256u * 1024u)
/* How long a peer that has ended its side is still answered: it may only have no more to say. */
#define HALF_CLOSED_MS 100u
/* Memory of one request: a body of the largest size, read and written as JSON. */
#define ARENA_BYTES (16u * 1024u * 1024u)
/* The headers that end each head. */
#define ENDING_BYTES 192

/* A close with unread bytes is a reset, which may take the answer away before the peer has read it. */
#define LINGER_MS 1000u

/* ---- stages ---- */

static void stage_leave(struct connection *connection) {
    struct stage_list *list = &connection->port->stages[connection->stage];
    *(connection->previous != NULL ? &connection->previous->next : &list->first) = connection->next;
    *(connection->next != NULL ? &connection->next->previous : &list->last) = connection->previous;
}

void connection_enter(struct connection *connection, enum stage stage) {
    struct stage_list *list = &connection->port->stages[stage];
    connection->stage = stage;
    connection->since_ms = uv_now(connection->port->listener.loop);
    connection->previous = list->last;
    connection->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = connection;
    list->last = connection;
}

static void stage_set(struct connection *connection, enum stage stage) {
    stage_leave(connection);
    connection_enter(connection, stage);
}

/* ---- requests ---- */

static struct request *request_new(struct connection *connection) {
    struct http_port *port = connection->port;
    struct request *request = port->spare_count > 0 ? port->spare[--port->spare_count] : malloc(sizeof(struct request));
    if (request == NULL) {
        return NULL;
    }
    memset(request, 0, sizeof(*request));
    call_init(&request->call, "", "", 0, ARENA_BYTES);
    request->connection = connection;
    request->port = port;
    request->from_proxy = address_is_trusted(connection->address);
    request->arrived_us = clock_now_us();
    atomic_fetch_add_explicit(&port->server->requests, 1, memory_order_relaxed);
    return request;
}

static void request_end(struct request *request) {
    struct http_port *port = request->port;
    atomic_fetch_sub_explicit(&port->server->requests, 1, memory_order_relaxed);
    call_fini(&request->call);
    if (port->spare_count < SPARE_MAX) {
        port->spare[port->spare_count++] = request;
    } else {
        free(request);
    }
}

/* Separates a request from its connection, which goes away. */
static void abandon_request(struct connection *connection) {
    struct request *request = connection->request;
    connection->request = NULL;
    if (request == NULL) {
        return;
    }
    request->connection = NULL;
    if (connection->stage == STAGE_BODY) {
        request_end(request); /* it has no task yet */
    } else {
        task_cancel_call(connection->port->loop, &request->call, HERALD_CANCELLED);
    }
}

/* ---- ends ---- */

static void on_http_connection_closed(uv_handle_t *handle) {
    struct connection *connection = (struct connection *)handle;
    struct http_port *port = connection->port;
    stage_leave(connection);
    herald_buffer_reset(&connection->in, 0);
    herald_buffer_reset(&connection->body, 0);
    if (connection->address != NULL) {
        addresses_leave(port->server->addresses, connection->address);
    }
    atomic_fetch_sub(&port->server->connections, 1);
    free(connection);
    http_port_handle_closed(port);
}

void connection_close(struct connection *connection) {
    if (connection->stage == STAGE_CLOSING) {
        return;
    }
    abandon_request(connection);
    stage_set(connection, STAGE_CLOSING);
    uv_close((uv_handle_t *)&connection->tcp, on_http_connection_closed);
}

/* ---- reading ---- */

static void connection_go_on(struct connection *connection);

static void run_request(void *arg) {
    struct request *request = arg;
    const struct http_server_options *options = &request->port->server->options;
    options->serve(options->user, request);
    if (request->connection != NULL) { /* not answered: a stream that could not begin, as the gateway drains */
        struct connection *connection = request->connection;
        request->connection = NULL;
        connection->request = NULL;
        connection_close(connection);
    }
    request_end(request);
}

#define BUSY_BODY                                                                                                      \
    "{\"type\":\"/api/problems/GATEWAY_BUSY\",\"title\":\"The gateway has no room for the request\",\"status\":503,"   \
    "\"code\":\"UNAVAILABLE\",\"reason\":\"GATEWAY_BUSY\",\"outcome\":\"NOT_SENT\",\"mayRepeat\":true,"                \
    "\"retryAfterMs\":1000}"

void connection_refuse(struct connection *connection) {
    char text[512];
    int bytes =
        snprintf(text, sizeof(text),
                 "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-type: application/problem+json\r\n"
                 "content-length: %zu\r\nconnection: close\r\n\r\n" BUSY_BODY,
                 sizeof(BUSY_BODY) - 1);
    uv_buf_t buffer = uv_buf_init(text, (unsigned)bytes);
    (void)uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
    connection_close(connection);
}

/* Hands the request to a task. */
static void start_request(struct connection *connection) {
    struct request *request = connection->request;
    struct http_port *port = connection->port;
    stage_set(connection, STAGE_BUSY);
    if (task_spawn(port->loop, &request->call, "request", run_request, request, NULL) != HERALD_OK) {
        connection->request = NULL;
        request_end(request);
        connection_refuse(connection);
    }
}

static void start_bad_request(struct connection *connection, enum http_problem problem, const char *what) {
    struct request *request = connection->request;
    request->problem = problem;
    snprintf(request->what, sizeof(request->what), "%s", what);
    connection->ends = connection->lingers = true;
    connection->in.count = connection->scanned = 0;
    start_request(connection);
}

static void consume(struct connection *connection, size_t bytes) {
    connection->in.count -= bytes;
    memmove(connection->in.bytes, connection->in.bytes + bytes, connection->in.count);
    connection->scanned = 0;
}

/* The request is whole: its body moves into its memory. */
static void finish_body(struct connection *connection) {
    struct request *request = connection->request;
    const char *body = arena_memdup(&request->call.arena, connection->body.bytes, connection->body.count);
    request->body = (struct span){body, connection->body.count};
    herald_buffer_reset(&connection->body, 0);
    if (body == NULL && request->body.bytes > 0) {
        start_bad_request(connection, HTTP_PROBLEM_BODY_TOO_LARGE, "the body");
        return;
    }
    start_request(connection);
}

static bool body_add(struct connection *connection, struct span data) {
    struct herald_buffer *body = &connection->body;
    if (data.bytes == 0) {
        return true;
    }
    if (!herald_buffer_reserve(body, body->count + data.bytes)) {
        return false;
    }
    memcpy(body->bytes + body->count, data.at, data.bytes);
    body->count += data.bytes;
    return true;
}

/* Takes what has come of a body whose length is known. */
static void read_sized_body(struct connection *connection) {
    const struct request_head *head = &connection->request->head;
    size_t missing = (size_t)head->content_length - connection->body.count;
    size_t here = connection->in.count < missing ? connection->in.count : missing;
    if (!body_add(connection, (struct span){(const char *)connection->in.bytes, here})) {
        start_bad_request(connection, HTTP_PROBLEM_GATEWAY_BUSY, "the body");
        return;
    }
    consume(connection, here);
    if (here == missing) {
        finish_body(connection);
    }
}

static void read_chunked_body(struct connection *connection) {
    const char *start = (const char *)connection->in.bytes, *at = start, *end = start + connection->in.count;
    uint32_t most = connection->port->server->options.max_body_bytes;
    while (at < end && connection->chunks.state != CHUNK_DONE) {
        struct span data;
        if (!http_chunks_read(&connection->chunks, &at, end, &data)) {
            start_bad_request(connection, HTTP_PROBLEM_BAD_CHUNK, "the body");
            return;
        }
        if (connection->body.count + data.bytes > most || connection->chunks.left > most) {
            start_bad_request(connection, HTTP_PROBLEM_BODY_TOO_LARGE, "the body");
            return;
        }
        if (!body_add(connection, data)) {
            start_bad_request(connection, HTTP_PROBLEM_GATEWAY_BUSY, "the body");
            return;
        }
    }
    consume(connection, (size_t)(at - start));
    if (connection->chunks.state == CHUNK_DONE) {
        finish_body(connection);
    }
}

static void tell_continue(struct connection *connection) {
    static const char TEXT[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)TEXT, sizeof(TEXT) - 1);
    (void)uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
}

static void start_body(struct connection *connection) {
    struct request *request = connection->request;
    const struct request_head *head = &request->head;
    if (head->content_length > connection->port->server->options.max_body_bytes) {
        start_bad_request(connection, HTTP_PROBLEM_BODY_TOO_LARGE, "content-length");
        return;
    }
    if (!head->is_chunked && head->content_length == 0) {
        start_request(connection);
        return;
    }
    if (connection->in.count < head->content_length || head->is_chunked) {
        const struct http_server_options *options = &connection->port->server->options;
        if (!options->wants_body(options->user, request)) {
            connection->ends = connection->lingers = true;
            connection->in.count = connection->scanned = 0;
            start_request(connection);
            return;
        }
    }
    if (head->expects_continue && connection->in.count == 0) {
        tell_continue(connection);
    }
    connection->chunks = (struct http_chunks){.left = 0};
    stage_set(connection, STAGE_BODY);
}

/* Takes a whole head off the received bytes. */
static void take_http_head(struct connection *connection, size_t bytes) {
    const struct http_server *server = connection->port->server;
    bool room = atomic_load_explicit(&server->requests, memory_order_relaxed) < server->options.max_requests;
    struct request *request = room ? request_new(connection) : NULL;
    char *copy = request != NULL ? arena_memdup(&request->call.arena, connection->in.bytes, bytes) : NULL;
    if (copy == NULL) {
        if (request != NULL) {
            request_end(request);
        }
        connection_refuse(connection);
        return;
    }
    connection->request = request;
    consume(connection, bytes);
    enum http_problem problem = request_head_read(copy, bytes, &request->head, request->what);
    connection->ends = !request->head.keeps_alive || connection->port->is_draining;
    if (problem != HTTP_PROBLEM_NONE) {
        char what[HTTP_WHAT_BYTES];
        memcpy(what, request->what, sizeof(what));
        start_bad_request(connection, problem, what);
        return;
    }
    start_body(connection);
}

/* An empty line before a request is passed over (RFC 9112, 2.2). */
static void skip_empty_line(struct connection *connection) {
    if (connection->in.count >= 2 && connection->in.bytes[0] == '\r' && connection->in.bytes[1] == '\n') {
        consume(connection, 2);
    }
}

/* A head that is too long, or cannot begin a request, is answered before its end comes. */
static void look_at_partial_head(struct connection *connection) {
    bool too_long = connection->in.count > connection->port->server->options.max_head_bytes;
    bool no_http = connection->in.count > 0 && !http_is_token_char((char)connection->in.bytes[0]) &&
                   connection->in.bytes[0] != '\r';
    bool broken = request_head_is_broken((const char *)connection->in.bytes, connection->in.count, connection->scanned);
    if (!too_long && !no_http && !broken) {
        connection->scanned = connection->in.count;
        if (connection->stage == STAGE_IDLE && connection->in.count > 0) {
            stage_set(connection, STAGE_HEAD);
        }
        return;
    }
    connection->request = request_new(connection);
    if (connection->request == NULL) {
        connection_refuse(connection);
        return;
    }
    if (too_long) {
        start_bad_request(connection, HTTP_PROBLEM_HEADERS_TOO_LARGE, "the headers");
    } else {
        start_bad_request(connection, HTTP_PROBLEM_BAD_REQUEST_LINE,
                          no_http ? "the first byte" : "a line feed without a carriage return");
    }
}

static void read_http_head(struct connection *connection) {
    if (connection->scanned == 0) {
        skip_empty_line(connection);
    }
    size_t bytes = request_head_end((const char *)connection->in.bytes, connection->in.count, connection->scanned);
    if (bytes == 0 || bytes > connection->port->server->options.max_head_bytes) {
        look_at_partial_head(connection);
        return;
    }
    take_http_head(connection, bytes);
}

/* Takes as much of the received bytes as the stage allows. */
static void connection_go_on(struct connection *connection) {
    if (connection->stage == STAGE_IDLE || connection->stage == STAGE_HEAD) {
        if (connection->in.count > 0) {
            read_http_head(connection);
        }
    }
    if (connection->stage == STAGE_BODY && connection->in.count > 0) {
        if (connection->request->head.is_chunked) {
            read_chunked_body(connection);
        } else {
            read_sized_body(connection);
        }
    }
    if (connection->in.count == 0 && connection->in.capacity > 0 && connection->stage == STAGE_IDLE) {
        herald_buffer_reset(&connection->in, 0);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct connection *connection = (struct connection *)handle;
    (void)suggested;
    *buffer = uv_buf_init(connection->port->scratch, SCRATCH_BYTES);
}

/* The peer has ended its side. A request that is answered just now may still end. */
static void on_peer_end(struct connection *connection, ssize_t why) {
    bool busy = connection->stage == STAGE_BUSY || connection->stage == STAGE_SENDING;
    if (why != UV_EOF || !busy || connection->is_stream) {
        connection_close(connection);
        return;
    }
    uv_read_stop((uv_stream_t *)&connection->tcp);
    connection->gone_ms = uv_now(connection->tcp.loop);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    struct connection *connection = (struct connection *)stream;
    if (count == 0) {
        return;
    }
    if (count < 0) {
        on_peer_end(connection, count);
        return;
    }
    if (connection->lingers) {
        return;
    }
    struct herald_buffer *in = &connection->in;
    if (!herald_buffer_reserve(in, in->count + (size_t)count)) {
        connection_close(connection);
        return;
    }
    memcpy(in->bytes + in->count, buffer->base, (size_t)count);
    in->count += (size_t)count;
    connection_go_on(connection);
    if (connection->in.count > IN_MAX && connection->stage != STAGE_CLOSING) {
        uv_read_stop(stream);
        connection->reading_paused = true;
    }
}

void connection_read(struct connection *connection) {
    (void)uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read);
}

/* ---- writing ---- */

struct sending {
    uv_write_t write; /* first */
    struct connection *connection;
    char bytes[];
};

/* Tells the peer that nothing more comes, and drops what it still sends. */
static void linger(struct connection *connection) {
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&connection->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        connection_close(connection);
        return;
    }
    stage_set(connection, STAGE_LINGER);
}

/* The answer is sent: the next request may be read. */
static void after_answer(struct connection *connection) {
    connection->is_stream = false;
    if (connection->lingers && connection->gone_ms == 0) {
        linger(connection);
        return;
    }
    if (connection->ends || connection->port->is_draining) {
        connection_close(connection);
        return;
    }
    stage_set(connection, STAGE_IDLE);
    if (connection->reading_paused) {
        connection->reading_paused = false;
        uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read);
    }
    connection_go_on(connection);
    if (connection->gone_ms != 0 && connection->stage != STAGE_BUSY && connection->stage != STAGE_SENDING) {
        connection_close(connection); /* no whole request is left */
    }
}

static void on_part_sent(uv_write_t *write, int status) {
    struct sending *sending = (struct sending *)write;
    struct connection *connection = sending->connection;
    free(sending);
    connection->writes--;
    if (connection->stage == STAGE_CLOSING) {
        return;
    }
    if (status != 0) {
        connection_close(connection);
    } else if (connection->writes == 0 && connection->request == NULL) {
        after_answer(connection);
    } else if (connection->writes == 0 && connection->stage == STAGE_SENDING) {
        stage_set(connection, STAGE_BUSY); /* a stream goes on */
    }
}

/* Posts what the peer did not take at once. @skip  bytes that it took */
static bool post_rest(struct connection *connection, const struct span *parts, size_t count, size_t skip) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].bytes;
    }
    struct sending *sending = malloc(sizeof(*sending) + bytes - skip);
    if (sending == NULL) {
        return false;
    }
    char *to = sending->bytes;
    for (size_t i = 0; i < count; i++) {
        size_t cut = skip < parts[i].bytes ? skip : parts[i].bytes;
        memcpy(to, parts[i].at + cut, parts[i].bytes - cut);
        to += parts[i].bytes - cut;
        skip -= cut;
    }
    uv_buf_t buffer = uv_buf_init(sending->bytes, (unsigned)(to - sending->bytes));
    sending->connection = connection;
    if (uv_write(&sending->write, (uv_stream_t *)&connection->tcp, &buffer, 1, on_part_sent) != 0) {
        free(sending);
        return false;
    }
    connection->writes++;
    if (connection->stage == STAGE_BUSY) {
        stage_set(connection, STAGE_SENDING);
    }
    return true;
}

/* Sends parts. Returns: false: the peer has gone, and the connection is closed. */
static bool connection_send(struct connection *connection, const struct span *parts, size_t count) {
    uv_buf_t buffers[3] = {{.len = 0}};
    size_t used = 0, bytes = 0;
    assert(count <= 3);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].bytes > 0) {
            buffers[used++] = uv_buf_init((char *)(uintptr_t)parts[i].at, (unsigned)parts[i].bytes);
            bytes += parts[i].bytes;
        }
    }
    int taken = uv_try_write((uv_stream_t *)&connection->tcp, buffers, (unsigned)used);
    bool good = taken >= 0 || taken == UV_EAGAIN;
    size_t skip = taken > 0 ? (size_t)taken : 0;
    if (!good || (skip < bytes && !post_rest(connection, parts, count, skip))) {
        connection_close(connection);
        return false;
    }
    return true;
}

/* Separates an answered request, which its task ends. */
static void let_go(struct connection *connection) {
    connection->request->connection = NULL;
    connection->request = NULL;
    if (connection->writes == 0) {
        after_answer(connection);
    }
}

/* The line of the header Date. */
static const char *date_line(struct http_port *port) {
    time_t now_s = (time_t)(clock_wall_us() / 1000000);
    struct tm now;
    if (now_s != port->date_s && gmtime_r(&now_s, &now) != NULL) {
        port->date_s = now_s;
        (void)strftime(port->date, sizeof(port->date), "date: %a, %d %b %Y %H:%M:%S GMT\r\n", &now);
    }
    return port->date;
}

/* Writes the headers that end the head. */
static struct span end_head(const struct connection *connection, const struct answer *answer, char text[ENDING_BYTES]) {
    char length[40] = "";
    if (!answer->has_no_length) {
        (void)snprintf(length, sizeof(length), "content-length: %zu\r\n", answer->body.bytes);
    }
    int bytes = snprintf(text, ENDING_BYTES, "%s%s%s\r\n", date_line(connection->port), length,
                         connection->ends ? "connection: close\r\n" : "");
    return (struct span){text, (size_t)bytes};
}

void request_answer(struct request *request, const struct answer *answer) {
    struct connection *connection = request->connection;
    char ending[ENDING_BYTES];
    if (connection == NULL) {
        return;
    }
    connection->ends |= answer->ends || connection->port->is_draining;
    struct span body = answer->has_no_body || answer->has_no_length ? (struct span){"", 0} : answer->body;
    const struct span parts[] = {answer->head, end_head(connection, answer, ending), body};
    if (connection_send(connection, parts, 3)) {
        let_go(connection);
    }
}

bool request_stream(struct request *request, struct span head) {
    struct connection *connection = request->connection;
    char ending[ENDING_BYTES];
    if (connection == NULL) {
        return false;
    }
    /* Streams last, and end with their connection: nothing can follow them that a proxy could take for another answer. */
    connection->is_stream = true;
    connection->ends = true;
    const struct span parts[] = {head, end_head(connection, &(struct answer){.has_no_length = true}, ending)};
    return connection_send(connection, parts, 2);
}

bool request_stream_put(struct request *request, struct span piece) {
    struct connection *connection = request->connection;
    if (connection == NULL) {
        return false;
    }
    if (uv_stream_get_write_queue_size((const uv_stream_t *)&connection->tcp) > STREAM_MAX) {
        connection_close(connection);
        return false;
    }
    return connection_send(connection, &piece, 1);
}

void request_stream_end(struct request *request) {
    if (request->connection != NULL) {
        let_go(request->connection);
    }
}

/* ---- time ---- */

/* The peer of a request was too slow: it is told so, unless it has said nothing at all. */
static void time_out(struct connection *connection) {
    if (connection->stage == STAGE_BODY || (connection->stage == STAGE_HEAD && connection->in.count > 0)) {
        if (connection->request == NULL) {
            connection->request = request_new(connection);
        }
        if (connection->request != NULL) {
            start_bad_request(connection, HTTP_PROBLEM_REQUEST_TIMEOUT,
                              connection->stage == STAGE_BODY ? "the body" : "the head");
            return;
        }
    }
    connection_close(connection);
}

static void expire_stage(struct http_port *port, enum stage stage, uint32_t most_ms, uint64_t now_ms) {
    struct connection *connection;
    while ((connection = port->stages[stage].first) != NULL && now_ms - connection->since_ms >= most_ms) {
        time_out(connection);
    }
}

/* Cancels the requests whose peers have ended their side and are not answered yet. */
static void expire_half_closed(struct http_port *port, uint64_t now_ms) {
    struct connection *next;
    for (struct connection *connection = port->stages[STAGE_BUSY].first; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->gone_ms != 0 && now_ms - connection->gone_ms >= HALF_CLOSED_MS) {
            connection_close(connection);
        }
    }
}

void connections_expire(struct http_port *port) {
    const struct http_server_options *options = &port->server->options;
    uint64_t now_ms = uv_now(port->tick.loop);
    expire_stage(port, STAGE_HEAD, options->head_ms, now_ms);
    expire_stage(port, STAGE_IDLE, options->idle_ms, now_ms);
    expire_stage(port, STAGE_BODY, options->body_ms, now_ms);
    expire_stage(port, STAGE_SENDING, options->send_ms, now_ms);
    expire_stage(port, STAGE_LINGER, LINGER_MS, now_ms);
    expire_half_closed(port, now_ms);
}
