#include "server/outgoing/http_head.h"

#include "client/base/ascii.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX_BYTES  65536u
#define VALUE_MAX_BYTES 1024u
#define RETRY_MAX_S     INT64_C(31622400) /* 366 days */

/* A text that is not terminated. */
struct http_text {
    const char *at;
    size_t bytes;
};

static struct http_text trimmed_text(const char *at, size_t bytes) {
    while (bytes > 0 && herald_is_space(at[0])) {
        at++;
        bytes--;
    }
    while (bytes > 0 && herald_is_space(at[bytes - 1])) {
        bytes--;
    }
    return (struct http_text){at, bytes};
}

/* Seconds since 1970 of a date in one of the three forms of HTTP, each of which begins with a weekday. */
static bool read_http_date(struct http_text text, int64_t *ret_s) {
    char date[64];
    if (text.bytes == 0 || text.bytes >= sizeof(date) || herald_lower(text.at[0]) < 'a' ||
        herald_lower(text.at[0]) > 'z') {
        return false;
    }
    memcpy(date, text.at, text.bytes);
    date[text.bytes] = '\0';
    time_t read = curl_getdate(date, NULL);
    *ret_s = read;
    return read != -1;
}

/* A count of seconds, cut to RETRY_MAX_S; a fraction is rounded up. */
static bool read_retry_seconds(struct http_text text, int64_t *ret_s) {
    size_t digits = 0;
    int64_t seconds = 0;
    for (; digits < text.bytes && herald_is_digit(text.at[digits]); digits++) {
        seconds = seconds * 10 + (text.at[digits] - '0');
        seconds = seconds > RETRY_MAX_S ? RETRY_MAX_S : seconds;
    }
    size_t at = digits;
    bool fraction = at < text.bytes && text.at[at] == '.';
    for (at += fraction; fraction && at < text.bytes && herald_is_digit(text.at[at]); at++) {
        seconds += at == digits + 1 && seconds < RETRY_MAX_S;
    }
    *ret_s = seconds;
    return digits > 0 && at == text.bytes;
}

static void take_retry_after(struct http_head *head, struct http_text value) {
    if (head->retry_in_said || head->retry_date_said) {
        return;
    }
    head->retry_in_said = read_retry_seconds(value, &head->retry_in_s);
    head->retry_date_said = !head->retry_in_said && read_http_date(value, &head->retry_date_s);
}

static bool is_named(struct http_text name, const char *other) {
    return strlen(other) == name.bytes && strncasecmp(name.at, other, name.bytes) == 0;
}

/* A copy as a string. NULL without memory. */
static char *copy_value(struct http_text text) {
    char *copy = malloc(text.bytes + 1);
    if (copy != NULL) {
        memcpy(copy, text.at, text.bytes);
        copy[text.bytes] = '\0';
    }
    return copy;
}

static void keep_wanted(struct http_head *head, struct http_text name, struct http_text value) {
    if (head->wanted == NULL || value.bytes > VALUE_MAX_BYTES) {
        return;
    }
    for (size_t i = 0; i < HTTP_WANTED_MAX && head->wanted[i] != NULL; i++) {
        if (head->values[i] == NULL && is_named(name, head->wanted[i])) {
            head->values[i] = copy_value(value);
        }
    }
}

static void take_header(struct http_head *head, const char *line, size_t bytes) {
    const char *colon = memchr(line, ':', bytes);
    if (colon == NULL) {
        return;
    }
    struct http_text name = trimmed_text(line, (size_t)(colon - line));
    struct http_text value = trimmed_text(colon + 1, bytes - (size_t)(colon + 1 - line));
    if (is_named(name, "retry-after")) {
        take_retry_after(head, value);
    } else if (is_named(name, "date") && !head->date_said) {
        head->date_said = read_http_date(value, &head->date_s);
    }
    keep_wanted(head, name, value);
}

/* Forgets an earlier informational head. False: a status that is none of an answer. */
static bool take_status_line(struct http_head *head, const char *line, size_t bytes) {
    http_head_clear(head);
    *head = (struct http_head){.wanted = head->wanted, .bytes = head->bytes};
    const char *blank = memchr(line, ' ', bytes);
    const char *end = line + bytes;
    int status = 0, digits = 0;
    for (const char *at = blank; at != NULL && ++at < end && herald_is_digit(*at) && digits < 3; digits++) {
        status = status * 10 + (*at - '0');
    }
    head->status = status;
    return status >= 100 && status != 101;
}

bool http_head_line(struct http_head *head, const char *line, size_t bytes) {
    head->bytes += bytes;
    if (head->bytes > HEAD_MAX_BYTES) {
        return false;
    }
    if (head->done) {
        return true;
    }
    struct http_text text = trimmed_text(line, bytes);
    if (text.bytes >= 5 && strncasecmp(text.at, "HTTP/", 5) == 0) {
        return take_status_line(head, text.at, text.bytes);
    }
    if (text.bytes > 0) {
        take_header(head, text.at, text.bytes);
    } else {
        head->done = head->status >= 200;
    }
    return true;
}

int64_t http_head_retry_at_us(const struct http_head *head, int64_t now_us) {
    int64_t wait_s = head->retry_in_s;
    if (!head->retry_in_said && !head->retry_date_said) {
        return 0;
    }
    if (head->retry_date_said) {
        int64_t by_peer_s = head->retry_date_s - head->date_s;
        bool peer_counts = head->date_said && by_peer_s <= RETRY_MAX_S;
        wait_s = peer_counts ? by_peer_s : head->retry_date_s - now_us / 1000000;
    }
    wait_s = wait_s < 0 ? 0 : wait_s > RETRY_MAX_S ? RETRY_MAX_S : wait_s;
    return now_us + wait_s * 1000000;
}

void http_head_clear(struct http_head *head) {
    for (size_t i = 0; i < HTTP_WANTED_MAX; i++) {
        free(head->values[i]);
        head->values[i] = NULL;
    }
}
