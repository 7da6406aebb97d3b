#include "herald/route.h"
#include "server/gateway/transcode.h"
#include "server/gateway/uri.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* A request of HTTP as the gateway has it: head, body in chunks or not, path, route, message. */

static void check_head(const struct request_head *head, const char *bytes, size_t count) {
    fuzz_require(head->path.at != NULL && head->path.bytes > 0, "a head has a path");
    fuzz_require(!head->is_chunked || head->content_length == 0, "the body's length is told in one way");
    for (size_t i = 0; i < HTTP_HEADER_COUNT; i++) {
        struct span value = head->headers[i];
        fuzz_require(value.at == NULL || (value.at >= bytes && value.at + value.bytes <= bytes + count),
                     "a value lies in the head");
        fuzz_require(value.at == NULL || memchr(value.at, '\n', value.bytes) == NULL, "a value is one line");
    }
}

/* Reads the chunks byte by byte into @request's arena. */
static bool read_chunked(const char *at, const char *end, struct request *request) {
    struct http_chunks chunks = {.left = 0};
    char *body = arena_alloc(&request->call.arena, (size_t)(end - at) + 1);
    fuzz_require(body != NULL, "there is memory");
    request->body = (struct span){body, 0};
    while (at < end && chunks.state != CHUNK_DONE) {
        struct span data;
        if (!http_chunks_read(&chunks, &at, at + 1, &data)) {
            return false;
        }
        memcpy(body + request->body.bytes, data.at, data.bytes);
        request->body.bytes += data.bytes;
    }
    return chunks.state == CHUNK_DONE;
}

static void take_request(struct request *request, const char *rest, size_t rest_bytes) {
    const struct routes routes = {herald_routes, herald_route_count};
    struct uri_path path;
    struct route_match match;
    ProtobufCMessage *message = NULL;
    const char *why = NULL;
    bool in_query = false;
    request->body = (struct span){rest, rest_bytes};
    if (request->head.is_chunked && !read_chunked(rest, rest + rest_bytes, request)) {
        return;
    }
    if (*request->head.path.at != '/' || !uri_path_read(request->head.path, &request->call.arena, &path, &why)) {
        return;
    }
    for (int method = HERALD_HTTP_GET; method <= HERALD_HTTP_DELETE; method++) {
        if (routes_find(&routes, (enum herald_http_method)method, &path, &match) &&
            transcode_request(&match, request, &message, &in_query, NULL) == HERALD_OK) {
            fuzz_require(message->descriptor == match.route->method->request->descriptor, "the message is the route's");
            fuzz_require(protobuf_c_message_check(message), "the message can be packed");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    const char *text = (const char *)data;
    struct request request = {.connection = NULL};
    size_t head_bytes = request_head_end(text, bytes, 0);
    if (head_bytes == 0) {
        return 0;
    }
    call_init(&request.call, "", NULL, 0, 0);
    char *copy = arena_memdup(&request.call.arena, text, head_bytes);
    fuzz_require(copy != NULL, "there is memory");
    if (request_head_read(copy, head_bytes, &request.head, request.what) == HTTP_PROBLEM_NONE) {
        check_head(&request.head, copy, head_bytes);
        take_request(&request, text + head_bytes, bytes - head_bytes);
    }
    call_fini(&request.call);
    return 0;
}
