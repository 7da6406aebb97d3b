#ifndef HERALD_GATEWAY_REQUEST_HEAD_H
#define HERALD_GATEWAY_REQUEST_HEAD_H

/*
 * Reads the head of an HTTP/1.1 request (RFC 9112), strictly: what two readers could understand in two ways is refused,
 * since a proxy in front may be the other reader. So lines end in CRLF, no header is folded, no blank stands before a
 * colon, the length is told once and in one way, and Host is given once. Pure functions over bytes in memory.
 */
#include "server/gateway/http_problem.h"
#include "server/gateway/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The headers that are read, X(name, text, ONCE or LIST). A second ONCE is refused; of a LIST all but the first are
 * passed over. Others are checked for their form alone.
 */
#define HTTP_HEADERS(X)                                                                                                \
    X(HOST, "host", ONCE)                                                                                              \
    X(CONTENT_LENGTH, "content-length", ONCE)                                                                          \
    X(TRANSFER_ENCODING, "transfer-encoding", ONCE)                                                                    \
    X(CONNECTION, "connection", LIST)                                                                                  \
    X(EXPECT, "expect", ONCE)                                                                                          \
    X(AUTHORIZATION, "authorization", ONCE)                                                                            \
    X(CONTENT_TYPE, "content-type", ONCE)                                                                              \
    X(CONTENT_ENCODING, "content-encoding", ONCE)                                                                      \
    X(ACCEPT, "accept", LIST)                                                                                          \
    X(ACCEPT_ENCODING, "accept-encoding", LIST)                                                                        \
    X(IDEMPOTENCY_KEY, "idempotency-key", ONCE)                                                                        \
    X(TRACEPARENT, "traceparent", ONCE)                                                                                \
    X(REQUEST_TIMEOUT, "request-timeout", ONCE)                                                                        \
    X(X_REQUEST_TIMEOUT_MS, "x-request-timeout-ms", ONCE)                                                              \
    X(IF_NONE_MATCH, "if-none-match", LIST)                                                                            \
    X(ORIGIN, "origin", ONCE)                                                                                          \
    X(ACCESS_CONTROL_REQUEST_METHOD, "access-control-request-method", ONCE)                                            \
    X(LAST_EVENT_ID, "last-event-id", ONCE)                                                                            \
    X(X_FORWARDED_HOST, "x-forwarded-host", LIST)

enum http_header {
#define HTTP_HEADER_ENUM(name, text, count) HTTP_HEADER_##name,
    HTTP_HEADERS(HTTP_HEADER_ENUM)
#undef HTTP_HEADER_ENUM
        HTTP_HEADER_COUNT
};

/** Most lines of headers. */
#define HTTP_LINES_MAX 100u
/** Longest target, bytes. */
#define HTTP_TARGET_MAX 8192u

/** A head that was read; its spans lie in the bytes that were read. */
struct request_head {
    struct span method;
    struct span target; /* as it was sent */
    struct span path;   /* begins with '/', or is "*" */
    struct span query;  /* without the question mark; at NULL: none */
    struct span host;   /* of the target if that is a whole URL, else of Host */
    struct span headers[HTTP_HEADER_COUNT];
    uint64_t content_length; /* 0 without one */
    bool is_chunked;
    bool keeps_alive; /* the peer wants to go on after this request */
    bool expects_continue;
};

/** Room for the name of the header or the character that a problem is about. */
#define HTTP_WHAT_BYTES 64

/**
 * Finds the end of a head.
 *
 * @from     bytes that were looked at before
 * Returns:  its bytes with the empty line; 0: it is not whole yet
 */
size_t request_head_end(const char *bytes, size_t count, size_t from);
/** Whether a head whose end has not come has a line feed without a carriage return, so that it may never come. @from  as
 *  for request_head_end() */
bool request_head_is_broken(const char *bytes, size_t count, size_t from);
/**
 * Reads a whole head.
 *
 * @bytes     @count bytes, as request_head_end() counts them
 * @ret_head  filled as far as it was read, also on failure
 * @ret_what  what the problem is about, printable; set with each problem
 * Returns:   HTTP_PROBLEM_NONE | BAD_REQUEST_LINE, VERSION_UNKNOWN, TARGET_TOO_LONG, BAD_HEADER, DUPLICATE_HEADER,
 *            HEADERS_TOO_LARGE, BAD_HOST, BAD_LENGTH, ENCODING_UNKNOWN, EXPECTATION_FAILED
 */
enum http_problem request_head_read(const char *bytes, size_t count, struct request_head *ret_head,
                                    char ret_what[HTTP_WHAT_BYTES]);

/** Whether a character may stand in a token: a method, the name of a header. */
bool http_is_token_char(char c);

/** The reader of a chunked body; zeroed at its beginning. */
struct http_chunks {
    enum {
        CHUNK_SIZE,
        CHUNK_EXTENSION,
        CHUNK_SIZE_END,
        CHUNK_DATA,
        CHUNK_DATA_CR,
        CHUNK_DATA_LF,
        CHUNK_TRAILER,
        CHUNK_DONE
    } state;
    uint64_t left;        /* bytes of the chunk that follow */
    unsigned digits;      /* of its size, read so far */
    size_t trailer_bytes; /* of all trailers */
    size_t line_bytes;    /* of the present trailer, or of a chunk's extensions */
    bool after_cr;
};

/**
 * Reads on in a chunked body. Extensions of chunks and trailers are passed over; both have a limit.
 *
 * @at        advanced past what was read; stops behind the body
 * @ret_data  a piece of the body, in place; empty when none came
 * Returns:   false: it is not well-formed
 * On return: call again while *@at < @end and the state is not CHUNK_DONE
 */
bool http_chunks_read(struct http_chunks *chunks, const char **at, const char *end, struct span *ret_data);

#endif
