#include "server/gateway/request_head.h"

#include "client/base/ascii.h"

#include <stdio.h>

/* Longest trailers of a chunked body, bytes. */
#define TRAILERS_MAX 4096u
/* Longest extensions of a chunk, bytes. */
#define EXTENSIONS_MAX 256u
/* Digits of a chunk's size: 32 bits. */
#define CHUNK_DIGITS_MAX 8u
/* Digits of a length. */
#define LENGTH_DIGITS_MAX 15u

enum header_times { ONCE, LIST };
static const struct {
    const char *text;
    size_t bytes;
    enum header_times times;
} HEADERS[] = {
#define HTTP_HEADER_ROW(name, text, times) {text, sizeof(text) - 1, times},
    HTTP_HEADERS(HTTP_HEADER_ROW)
#undef HTTP_HEADER_ROW
};

/* What a character may be part of: a token, the value of a header, a target, a host. */
#define T   1
#define V   2
#define G   4
#define H   8
#define ALL (T | V | G | H)

static const unsigned char CLASSES[256] = {
    ['\t'] = V,          [' '] = V,           ['!'] = ALL,
    ['"'] = V,           ['#'] = T | V,       ['$' ... '\''] = ALL,
    ['('] = V | G | H,   [')'] = V | G | H,   ['*' ... '+'] = ALL,
    [','] = V | G | H,   ['-' ... '.'] = ALL, ['/'] = V | G,
    ['0' ... '9'] = ALL, [':'] = V | G | H,   [';'] = V | G | H,
    ['<'] = V,           ['='] = V | G | H,   ['>'] = V,
    ['?'] = V | G,       ['@'] = V | G,       ['A' ... 'Z'] = ALL,
    ['['] = V | G | H,   ['\\'] = V,          [']'] = V | G | H,
    ['^'] = T | V,       ['_'] = ALL,         ['`'] = T | V,
    ['a' ... 'z'] = ALL, ['{'] = V,           ['|'] = T | V,
    ['}'] = V,           ['~'] = ALL,         [0x80 ... 0xFF] = V,
};

/* Length of the longest start of a text whose characters are all of a class. */
static size_t run_of(const char *at, const char *end, unsigned class) {
    const char *start = at;
    while (at < end && (CLASSES[(unsigned char)*at] & class) != 0) {
        at++;
    }
    return (size_t)(at - start);
}

bool http_is_token_char(char c) {
    return (CLASSES[(unsigned char)c] & T) != 0;
}

size_t request_head_end(const char *bytes, size_t count, size_t from) {
    size_t back = from > 3 ? from - 3 : 0;
    const char *end = memmem(bytes + back, count - back, "\r\n\r\n", 4);
    return end != NULL ? (size_t)(end - bytes) + 4 : 0;
}

bool request_head_is_broken(const char *bytes, size_t count, size_t from) {
    for (const char *at = bytes + from; (at = memchr(at, '\n', count - (size_t)(at - bytes))) != NULL; at++) {
        if (at == bytes || at[-1] != '\r') {
            return true;
        }
    }
    return false;
}

static enum http_problem head_problem(char ret_what[HTTP_WHAT_BYTES], enum http_problem problem, const char *what) {
    snprintf(ret_what, HTTP_WHAT_BYTES, "%s", what);
    return problem;
}

static enum http_problem header_problem(char ret_what[HTTP_WHAT_BYTES], enum http_problem problem, struct span name) {
    snprintf(ret_what, HTTP_WHAT_BYTES, "%.*s", (int)(name.bytes < 48 ? name.bytes : 48), name.at);
    return problem;
}

/* ---- the request line ---- */

/* Takes scheme and authority off a target that is a whole URL. */
static bool split_target(struct request_head *head) {
    struct span target = head->target;
    head->path = target;
    if (target.bytes > 7 && strncasecmp(target.at, "http://", 7) == 0) {
        struct span rest = {target.at + 7, target.bytes - 7};
        size_t host_bytes = 0;
        while (host_bytes < rest.bytes && rest.at[host_bytes] != '/' && rest.at[host_bytes] != '?') {
            host_bytes++;
        }
        head->host = (struct span){rest.at, host_bytes};
        head->path = (struct span){rest.at + host_bytes, rest.bytes - host_bytes};
        if (head->path.bytes == 0 || *head->path.at == '?') {
            return false; /* "http://host": nobody sends that for a path of ours */
        }
    }
    if (span_is(head->path, "*")) {
        return span_is(head->method, "OPTIONS");
    }
    const char *mark = memchr(head->path.at, '?', head->path.bytes);
    if (mark != NULL) {
        size_t path_bytes = (size_t)(mark - head->path.at);
        head->query = (struct span){mark + 1, head->path.bytes - path_bytes - 1};
        head->path.bytes = path_bytes;
    }
    return head->path.bytes > 0 && *head->path.at == '/';
}

static enum http_problem read_request_line(struct request_head *head, const char *at, const char *end,
                                           char ret_what[HTTP_WHAT_BYTES]) {
    head->method = (struct span){at, run_of(at, end, T)};
    at += head->method.bytes;
    if (head->method.bytes == 0 || at == end || *at != ' ') {
        return head_problem(ret_what, HTTP_PROBLEM_BAD_REQUEST_LINE, "the method");
    }
    at++;
    head->target = (struct span){at, run_of(at, end, G)};
    at += head->target.bytes;
    if (head->target.bytes == 0 || at == end || *at != ' ') {
        return head_problem(ret_what, HTTP_PROBLEM_BAD_REQUEST_LINE, "a character of the target");
    }
    struct span version = {at + 1, (size_t)(end - at) - 1};
    if (!span_is(version, "HTTP/1.1") && !span_is(version, "HTTP/1.0")) {
        bool other = version.bytes == 8 && memcmp(version.at, "HTTP/", 5) == 0 && herald_is_digit(version.at[5]);
        return head_problem(ret_what, other ? HTTP_PROBLEM_VERSION_UNKNOWN : HTTP_PROBLEM_BAD_REQUEST_LINE,
                            "the version");
    }
    head->keeps_alive = version.at[7] == '1';
    if (head->target.bytes > HTTP_TARGET_MAX) {
        return head_problem(ret_what, HTTP_PROBLEM_TARGET_TOO_LONG, "the target");
    }
    return split_target(head) ? HTTP_PROBLEM_NONE
                              : head_problem(ret_what, HTTP_PROBLEM_BAD_REQUEST_LINE, "the form of the target");
}

/* ---- headers ---- */

static size_t find_header(struct span name) {
    for (size_t i = 0; i < HTTP_HEADER_COUNT; i++) {
        if (HEADERS[i].bytes == name.bytes && strncasecmp(HEADERS[i].text, name.at, name.bytes) == 0) {
            return i;
        }
    }
    return HTTP_HEADER_COUNT;
}

static void note_connection(struct request_head *head, struct span value) {
    struct span token;
    while (span_next(&value, ',', &token)) {
        token = span_trim(token);
        if (span_is_word(token, "close")) {
            head->keeps_alive = false;
        }
    }
}

static enum http_problem read_header_line(struct request_head *head, const char *at, const char *end,
                                          char ret_what[HTTP_WHAT_BYTES]) {
    struct span name = {at, run_of(at, end, T)};
    at += name.bytes;
    if (name.bytes == 0 || at == end || *at != ':') {
        return name.bytes == 0 ? head_problem(ret_what, HTTP_PROBLEM_BAD_HEADER, "the name of a header")
                               : header_problem(ret_what, HTTP_PROBLEM_BAD_HEADER, name);
    }
    at++;
    struct span value = {at, (size_t)(end - at)};
    if (run_of(at, end, V) != value.bytes) {
        return header_problem(ret_what, HTTP_PROBLEM_BAD_HEADER, name);
    }
    size_t header = find_header(name);
    if (header == HTTP_HEADER_COUNT) {
        return HTTP_PROBLEM_NONE;
    }
    value = span_trim(value);
    if (header == HTTP_HEADER_CONNECTION) {
        note_connection(head, value);
    }
    if (head->headers[header].at == NULL) {
        head->headers[header] = value;
    } else if (HEADERS[header].times == ONCE) {
        return header_problem(ret_what, HTTP_PROBLEM_DUPLICATE_HEADER, name);
    }
    return HTTP_PROBLEM_NONE;
}

static bool read_content_length(struct span text, uint64_t *ret_length) {
    uint64_t length = 0;
    if (text.bytes == 0 || text.bytes > LENGTH_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        if (!herald_is_digit(text.at[i])) {
            return false;
        }
        length = length * 10 + (uint64_t)(text.at[i] - '0');
    }
    *ret_length = length;
    return true;
}

/* Decides how the body's end is found. */
static enum http_problem read_framing(struct request_head *head, bool is_old, char ret_what[HTTP_WHAT_BYTES]) {
    struct span coding = head->headers[HTTP_HEADER_TRANSFER_ENCODING];
    struct span length = head->headers[HTTP_HEADER_CONTENT_LENGTH];
    if (coding.at != NULL) {
        if (length.at != NULL || is_old) {
            return head_problem(ret_what, HTTP_PROBLEM_BAD_LENGTH, "transfer-encoding");
        }
        if (!span_is_word(coding, "chunked")) {
            return head_problem(ret_what, HTTP_PROBLEM_ENCODING_UNKNOWN, "transfer-encoding");
        }
        head->is_chunked = true;
    } else if (length.at != NULL && !read_content_length(length, &head->content_length)) {
        return head_problem(ret_what, HTTP_PROBLEM_BAD_LENGTH, "content-length");
    }
    return HTTP_PROBLEM_NONE;
}

static enum http_problem judge_host(struct request_head *head, bool is_old, char ret_what[HTTP_WHAT_BYTES]) {
    struct span host = head->headers[HTTP_HEADER_HOST];
    bool missing = host.at == NULL && !is_old;
    if (head->host.at == NULL) {
        head->host = host;
    }
    struct span used = head->host;
    bool good = used.at == NULL || (used.bytes > 0 && run_of(used.at, used.at + used.bytes, H) == used.bytes);
    return missing || !good ? head_problem(ret_what, HTTP_PROBLEM_BAD_HOST, "host") : HTTP_PROBLEM_NONE;
}

static enum http_problem judge_head(struct request_head *head, bool is_old, char ret_what[HTTP_WHAT_BYTES]) {
    struct span expect = head->headers[HTTP_HEADER_EXPECT];
    enum http_problem problem = read_framing(head, is_old, ret_what);
    if (problem == HTTP_PROBLEM_NONE) {
        problem = judge_host(head, is_old, ret_what);
    }
    if (problem == HTTP_PROBLEM_NONE && expect.at != NULL) {
        head->expects_continue = span_is_word(expect, "100-continue") && !is_old;
        if (!head->expects_continue && !is_old) {
            return head_problem(ret_what, HTTP_PROBLEM_EXPECTATION_FAILED, "expect");
        }
    }
    return problem;
}

enum http_problem request_head_read(const char *bytes, size_t count, struct request_head *ret_head,
                                    char ret_what[HTTP_WHAT_BYTES]) {
    const char *at = bytes, *end = bytes + count - 2; /* without the empty line */
    *ret_head = (struct request_head){.keeps_alive = false};
    const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
    enum http_problem problem = read_request_line(ret_head, at, line_end, ret_what);
    bool is_old = !ret_head->keeps_alive;
    at = line_end + 2;
    for (unsigned lines = 0; problem == HTTP_PROBLEM_NONE && at < end; lines++) {
        line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        problem = lines < HTTP_LINES_MAX ? read_header_line(ret_head, at, line_end, ret_what)
                                         : head_problem(ret_what, HTTP_PROBLEM_HEADERS_TOO_LARGE, "the headers");
        at = line_end + 2;
    }
    return problem == HTTP_PROBLEM_NONE ? judge_head(ret_head, is_old, ret_what) : problem;
}

/* ---- chunked bodies ---- */

/* Takes one character of a chunk's size line. */
static bool take_size_char(struct http_chunks *chunks, char c) {
    int digit = herald_hex_value(c);
    if (chunks->state == CHUNK_SIZE_END) {
        chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        return c == '\n';
    }
    if ((c == '\r' || c == ';') && chunks->digits > 0) {
        chunks->state = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_END;
        chunks->digits = 0;
        return true;
    }
    chunks->left = chunks->digits > 0 ? chunks->left * 16 + (uint64_t)(digit & 15) : (uint64_t)(digit & 15);
    return digit >= 0 && ++chunks->digits <= CHUNK_DIGITS_MAX;
}

/* Passes over one character of a chunk's extensions (RFC 9112, 7.1.1). */
static bool take_extension_char(struct http_chunks *chunks, char c) {
    if (c == '\r') {
        chunks->state = CHUNK_SIZE_END;
        chunks->line_bytes = 0;
        return true;
    }
    return ++chunks->line_bytes <= EXTENSIONS_MAX && (CLASSES[(unsigned char)c] & V) != 0;
}

/* Takes one character of the trailers, which end with an empty line. */
static bool take_trailer_char(struct http_chunks *chunks, char c) {
    if (chunks->after_cr) {
        chunks->after_cr = false;
        chunks->state = chunks->line_bytes == 0 ? CHUNK_DONE : CHUNK_TRAILER;
        chunks->line_bytes = 0;
        return c == '\n';
    }
    chunks->after_cr = c == '\r';
    chunks->line_bytes += c != '\r';
    return ++chunks->trailer_bytes <= TRAILERS_MAX && (c == '\r' || (CLASSES[(unsigned char)c] & V) != 0);
}

static bool take_framing_char(struct http_chunks *chunks, char c) {
    switch (chunks->state) {
    case CHUNK_EXTENSION:
        return take_extension_char(chunks, c);
    case CHUNK_DATA_CR:
        chunks->state = CHUNK_DATA_LF;
        return c == '\r';
    case CHUNK_DATA_LF:
        chunks->state = CHUNK_SIZE;
        return c == '\n';
    case CHUNK_TRAILER:
        return take_trailer_char(chunks, c);
    default:
        return take_size_char(chunks, c);
    }
}

bool http_chunks_read(struct http_chunks *chunks, const char **at, const char *end, struct span *ret_data) {
    *ret_data = (struct span){*at, 0};
    while (*at < end && chunks->state != CHUNK_DONE) {
        if (chunks->state != CHUNK_DATA) {
            if (!take_framing_char(chunks, *(*at)++)) {
                return false;
            }
            continue;
        }
        size_t here = (size_t)(end - *at) < chunks->left ? (size_t)(end - *at) : (size_t)chunks->left;
        *ret_data = (struct span){*at, here};
        *at += here;
        chunks->left -= here;
        chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_DATA_CR;
        return true;
    }
    return true;
}
