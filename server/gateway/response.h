#ifndef HERALD_GATEWAY_RESPONSE_H
#define HERALD_GATEWAY_RESPONSE_H

/* The answer to a request: status, headers and body, and the problems that are answered instead (RFC 9457). */
#include "herald/client.h"
#include "herald/route.h"
#include "server/gateway/connection.h"

#include <stdint.h>

struct backend_end;
struct gateway;

/** Room for all headers of an answer. */
#define RESPONSE_HEAD_BYTES 3072u

struct response {
    struct request *request;
    const struct gateway *gateway;
    const struct herald_route *route; /* NULL: none is found yet, or it is a page */
    unsigned status;                  /* once it was answered; 0: it was not */
    bool is_head;                     /* the request's method is HEAD */
    size_t head_bytes;
    char head[RESPONSE_HEAD_BYTES]; /* header lines so far, without the status line */
};

/** Begins an answer, with the headers that every answer has. */
void response_init(struct response *response, const struct gateway *gateway, struct request *request);
/** Adds a header. @value  without control characters: those of a value that a peer gave are dropped */
void response_header(struct response *response, const char *name, const char *value);
/**
 * Answers.
 *
 * @type  content type; NULL: there is no body
 * @body  compressed if that is worth it, the peer accepts it and @encoded is false
 */
void response_send(struct response *response, unsigned status, const char *type, struct span body, bool encoded);
/** Answers a problem of HTTP. @detail  a sentence that says what is wrong and what to do */
void response_problem(struct response *response, enum http_problem problem, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));
/** Answers that a parameter of the query is wrong. @name  empty: it cannot be read. @what  "must be a whole number" */
void response_bad_query(struct response *response, const char *name, const char *what);
/** Begins an answer whose parts follow, with request_stream_put(). Returns: false: the peer has gone. */
bool response_stream(struct response *response, const char *type);
/** Answers the end of a backend's call that failed. */
void response_backend_failure(struct response *response, const struct herald_method_schema *method,
                              const struct backend_end *end);
/** Answers the end of a call that failed. @reply  of the call; of one that was not made only `error` counts */
void response_failure(struct response *response, const struct herald_reply *reply);
/** Answers a JSON text that a GET read: with its ETag, or that the peer has it already. */
void response_read(struct response *response, unsigned status, const char *type, struct span body);

/** The standard text of a status: "Not Found". Static. */
const char *response_phrase(unsigned status);

#endif
