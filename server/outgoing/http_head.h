#ifndef HERALD_OUTGOING_HTTP_HEAD_H
#define HERALD_OUTGOING_HTTP_HEAD_H

/* The head of an HTTP answer (status line and headers), read line by line. Private to the HTTP client. */

#include "server/outgoing/http.h"

/** What is known of the head so far. */
struct http_head {
    const char *const *wanted;     /* names of the headers to keep; NULL-terminated; may be NULL */
    char *values[HTTP_WANTED_MAX]; /* theirs, in the same order; from malloc(); NULL: not said */
    int status;                    /* of the last status line; 0: none yet */
    bool done;                     /* the head of the final answer is complete; further lines are trailers */
    bool date_said;                /* date_s is set */
    bool retry_in_said;            /* retry_in_s is set */
    bool retry_date_said;          /* retry_date_s is set */
    int64_t date_s;                /* of Date; seconds since 1970 */
    int64_t retry_in_s;            /* of Retry-After as a number; 0 to 366 days */
    int64_t retry_date_s;          /* of Retry-After as a date; seconds since 1970 */
    size_t bytes;                  /* read so far, trailers too */
};

/**
 * Takes one line: a status line, a header or the empty line after them. An informational head (1xx) is forgotten when
 * the next status line comes. Of several headers of one name the first counts.
 *
 * @line    @bytes bytes, with or without its line end; not terminated
 * Returns: true | false: the head is longer than 64 KiB, its status is below 100, or it switches protocols (101)
 */
bool http_head_line(struct http_head *head, const char *line, size_t bytes);
/**
 * The instant from which the peer wants to be asked again, on our wall clock. A date counts from the peer's own Date,
 * so that a clock which is wrong, ours or the peer's, does not matter. Without a Date, or with one that is more than
 * 366 days before it, the date counts as it is. What has passed is @now_us; what is beyond 366 days is cut to that.
 *
 * @now_us  our wall clock when the head came
 * Returns: microseconds since 1970, @now_us to @now_us + 366 days; 0: not said
 */
int64_t http_head_retry_at_us(const struct http_head *head, int64_t now_us);
/** Frees the values. */
void http_head_clear(struct http_head *head);

#endif
