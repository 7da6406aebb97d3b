#ifndef HERALD_GATEWAY_HTTP_PROBLEM_H
#define HERALD_GATEWAY_HTTP_PROBLEM_H

/*
 * What can be wrong with a request before it becomes a call: X(word, HTTP status, gRPC code, title). The words share
 * the name space of herald/reason.h, whose reasons come with calls.
 */
#include "herald/code.h"

#define HTTP_PROBLEMS(X)                                                                                               \
    X(BAD_REQUEST_LINE, 400, INVALID_ARGUMENT, "The request line is not well-formed HTTP/1.1")                         \
    X(BAD_HEADER, 400, INVALID_ARGUMENT, "A header is not well-formed")                                                \
    X(DUPLICATE_HEADER, 400, INVALID_ARGUMENT, "A header that may be given once is given twice")                       \
    X(BAD_HOST, 400, INVALID_ARGUMENT, "The request has no usable Host")                                               \
    X(BAD_LENGTH, 400, INVALID_ARGUMENT, "The length of the body is not told in one clear way")                        \
    X(BAD_CHUNK, 400, INVALID_ARGUMENT, "The chunked body is not well-formed")                                         \
    X(BAD_PATH, 400, INVALID_ARGUMENT, "The path is not well-formed")                                                  \
    X(BODY_NOT_TAKEN, 400, INVALID_ARGUMENT, "The path takes no body")                                                 \
    X(BAD_QUERY, 400, INVALID_ARGUMENT, "A query parameter is not known, or has no value of its kind")                 \
    X(BAD_TIMEOUT, 400, INVALID_ARGUMENT, "The time-out is no number of the allowed range")                            \
    X(BAD_IDEMPOTENCY_KEY, 400, INVALID_ARGUMENT, "The Idempotency-Key cannot be used")                                \
    X(BAD_AUTHORIZATION, 401, UNAUTHENTICATED, "The Authorization is no bearer token")                                 \
    X(ORIGIN_NOT_ALLOWED, 403, PERMISSION_DENIED, "A page of another origin may not do this")                          \
    X(ROUTE_NOT_FOUND, 404, NOT_FOUND, "There is nothing at this path")                                                \
    X(METHOD_NOT_ALLOWED, 405, UNIMPLEMENTED, "The path does not take this method")                                    \
    X(NOT_ACCEPTABLE, 406, INVALID_ARGUMENT, "The answer exists in no accepted type")                                  \
    X(REQUEST_TIMEOUT, 408, DEADLINE_EXCEEDED, "The request did not arrive in time")                                   \
    X(BODY_TOO_LARGE, 413, RESOURCE_EXHAUSTED, "The body is too large")                                                \
    X(TARGET_TOO_LONG, 414, INVALID_ARGUMENT, "The URL is too long")                                                   \
    X(WRONG_CONTENT_TYPE, 415, INVALID_ARGUMENT, "The body must be JSON")                                              \
    X(EXPECTATION_FAILED, 417, INVALID_ARGUMENT, "The expectation cannot be met")                                      \
    X(MISDIRECTED, 421, INVALID_ARGUMENT, "This gateway is not known by that host")                                    \
    X(HEADERS_TOO_LARGE, 431, RESOURCE_EXHAUSTED, "The headers are too large")                                         \
    X(ENCODING_UNKNOWN, 501, UNIMPLEMENTED, "The transfer coding is none that is served here")                         \
    X(GATEWAY_BUSY, 503, UNAVAILABLE, "The gateway has no room for the request")                                       \
    X(VERSION_UNKNOWN, 505, UNIMPLEMENTED, "The protocol is not HTTP/1.0 or HTTP/1.1")

enum http_problem {
    HTTP_PROBLEM_NONE,
#define HTTP_PROBLEM_ENUM(word, status, code, title) HTTP_PROBLEM_##word,
    HTTP_PROBLEMS(HTTP_PROBLEM_ENUM)
#undef HTTP_PROBLEM_ENUM
        HTTP_PROBLEM_COUNT
};

struct http_problem_row {
    const char *word;
    unsigned status;
    enum herald_code code;
    const char *title;
};

/** The row of a problem; not of NONE. Static. */
const struct http_problem_row *http_problem_row(enum http_problem problem);

#endif
