/*
 * A line is built in one buffer and handed to the writer's thread (log_writer.h), or written here while none runs. Lines
 * of several threads and processes do not mix. A field that does not fit is left out as a whole and "truncated" is added, so each line is valid JSON.
 */
#include "server/runtime/log.h"

#include "herald/utf8.h"
#include "server/runtime/call.h"
#include "server/runtime/log_writer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES         LOG_WRITER_LINE_BYTES
#define LINE_RESERVE_BYTES 32
#define VALUE_MAX_BYTES    512

LOG_EVENTS(RUNTIME_LOG)

static const char *server_name = "herald";
static bool as_text;
static atomic_int least_level = LOG_INFO;

static const char *const LEVEL_NAMES[] = {"debug", "info", "warning", "error"};

void log_init(const char *server, enum log_level least, enum log_format format) {
    server_name = server;
    as_text = format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO) == 1);
    (void)log_set_level(least);
}

enum log_level log_set_level(enum log_level least) {
    return (enum log_level)atomic_exchange_explicit(&least_level, (int)least, memory_order_relaxed);
}

/* ---- building a line ---- */

struct line {
    size_t length;
    bool full; /* something did not fit */
    char text[LINE_BYTES];
};

static void put_line_bytes(struct line *line, const char *bytes, size_t count) {
    if (line->full || count > LINE_BYTES - LINE_RESERVE_BYTES - line->length) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->length, bytes, count);
    line->length += count;
}

static void put_line_text(struct line *line, const char *text) {
    put_line_bytes(line, text, strlen(text));
}

static void put_line_format(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put_line_format(struct line *line, const char *format, ...) {
    char text[64];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_line_text(line, text);
}

/* Bytes of the valid UTF-8 character at @text; 0 if there is none. */
static size_t character_bytes(const char *text, size_t left) {
    for (size_t bytes = 1; bytes <= 4 && bytes <= left; bytes++) {
        if (herald_utf8_valid(text, bytes, NULL)) {
            return bytes;
        }
    }
    return 0;
}

/* True for U+0080..U+009F, U+2028 and U+2029, which move a terminal's cursor or break lines in some readers. */
static bool is_unseen(const char *text, size_t bytes) {
    if (bytes == 2) {
        return (unsigned char)text[0] == 0xC2 && (unsigned char)text[1] < 0xA0;
    }
    return bytes == 3 && (memcmp(text, "\xE2\x80\xA8", 3) == 0 || memcmp(text, "\xE2\x80\xA9", 3) == 0);
}

static void put_unseen(struct line *line, const char *text, size_t bytes) {
    if (bytes == 2) {
        put_line_format(line, "\\u00%02x", (unsigned)(unsigned char)text[1]);
    } else {
        put_line_text(line, (unsigned char)text[2] == 0xA8 ? "\\u2028" : "\\u2029");
    }
}

/* Bytes of @text that stand in a JSON string as they are, and need no look at UTF-8. */
static size_t plain_log_bytes(const char *text, size_t left) {
    size_t bytes = 0;
    while (bytes < left && text[bytes] >= 0x20 && text[bytes] < 0x7f && text[bytes] != '"' && text[bytes] != '\\') {
        bytes++;
    }
    return bytes;
}

/* Writes one character of a JSON string; a byte that is not UTF-8 becomes U+FFFD. Returns the bytes read. */
static size_t put_character(struct line *line, const char *text, size_t left) {
    size_t bytes = character_bytes(text, left);
    unsigned char c = (unsigned char)*text;
    if (bytes == 0) {
        put_line_text(line, "\\ufffd");
        return 1;
    }
    if (c == '"' || c == '\\') {
        put_line_format(line, "\\%c", c);
    } else if (c == '\n') {
        put_line_text(line, "\\n");
    } else if (c < 0x20 || c == 0x7f) {
        put_line_format(line, "\\u%04x", c);
    } else if (is_unseen(text, bytes)) {
        put_unseen(line, text, bytes);
    } else {
        put_line_bytes(line, text, bytes);
    }
    return bytes;
}

/* Writes at most @max_bytes of @text as a JSON string; an ellipsis marks a cut. */
static void put_log_string(struct line *line, const char *text, size_t max_bytes) {
    if (text == NULL) {
        put_line_text(line, "null");
        return;
    }
    size_t length = strnlen(text, max_bytes + 1);
    size_t shown = herald_utf8_cut(text, length, max_bytes);
    put_line_text(line, "\"");
    for (size_t i = 0; i < shown;) {
        size_t plain = plain_log_bytes(text + i, shown - i);
        put_line_bytes(line, text + i, plain);
        i += plain;
        i += i < shown ? put_character(line, text + i, shown - i) : 0;
    }
    put_line_text(line, shown < length ? "…\"" : "\"");
}

/* Writes a value of text output, without quotes when it is one plain word. */
static void put_word(struct line *line, const char *text) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+@,%";
    if (text != NULL && *text != '\0' && strspn(text, plain) == strlen(text) && strlen(text) <= VALUE_MAX_BYTES) {
        put_line_text(line, text);
    } else {
        put_log_string(line, text, VALUE_MAX_BYTES);
    }
}

static void put_time(struct line *line) {
    int64_t now_us = clock_wall_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm tm;
    char text[32];
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    put_line_format(line, "%s.%03dZ", text, (int)(now_us / 1000 % 1000));
}

/* ---- fields ---- */

static void put_error_json(struct line *line, const struct herald_error *error) {
    if (error == NULL) {
        put_line_text(line, "null");
        return;
    }
    put_line_format(line, "{\"code\":\"%s\",\"reason\":", herald_code_name((int)error->code));
    put_log_string(line, error->reason, sizeof(error->reason));
    put_line_text(line, ",\"message\":");
    put_log_string(line, error->message, sizeof(error->message));
    if (error->origin[0] != '\0') {
        put_line_text(line, ",\"origin\":");
        put_log_string(line, error->origin, sizeof(error->origin));
    }
    put_line_text(line, "}");
}

static void put_error_text(struct line *line, const struct herald_error *error) {
    if (error == NULL) {
        put_line_text(line, "none");
        return;
    }
    put_line_text(line, herald_code_name((int)error->code));
    put_line_text(line, "/");
    put_word(line, error->reason);
    put_line_text(line, " ");
    put_log_string(line, error->message, sizeof(error->message));
    if (error->origin[0] != '\0') {
        put_line_text(line, " origin=");
        put_word(line, error->origin);
    }
}

static void put_log_value(struct line *line, const struct log_field *field) {
    switch (field->kind) {
    case LOG_FIELD_STR:
        if (as_text) {
            put_word(line, field->str);
        } else {
            put_log_string(line, field->str, VALUE_MAX_BYTES);
        }
        break;
    case LOG_FIELD_U64:
        put_line_format(line, "%llu", (unsigned long long)field->u64);
        break;
    case LOG_FIELD_I64:
        put_line_format(line, "%lld", (long long)field->i64);
        break;
    case LOG_FIELD_ERROR:
        if (as_text) {
            put_error_text(line, field->error);
        } else {
            put_error_json(line, field->error);
        }
        break;
    default:
        break;
    }
}

/* Adds a field. One that does not fit is left out; smaller ones may still follow. */
static void put_log_field(struct line *line, const struct log_field *field, bool *truncated) {
    size_t start = line->length;
    if (as_text) {
        put_line_text(line, " ");
        put_line_text(line, field->name);
        put_line_text(line, "=");
    } else {
        put_line_text(line, ",");
        put_log_string(line, field->name, VALUE_MAX_BYTES);
        put_line_text(line, ":");
    }
    put_log_value(line, field);
    if (line->full) {
        line->length = start;
        line->full = false;
        *truncated = true;
    }
}

static void put_head(struct line *line, const struct log_event *event) {
    if (as_text) {
        put_time(line);
        put_line_format(line, " %-7s ", LEVEL_NAMES[event->level]);
        put_line_text(line, event->id);
        put_line_text(line, ": ");
        put_line_text(line, event->meaning);
        return;
    }
    put_line_text(line, "{\"ts\":\"");
    put_time(line);
    put_line_format(line, "\",\"level\":\"%s\",\"server\":", LEVEL_NAMES[event->level]);
    put_log_string(line, server_name, VALUE_MAX_BYTES);
    put_line_text(line, ",\"event\":");
    put_log_string(line, event->id, VALUE_MAX_BYTES);
}

/* Ends the line; LINE_RESERVE_BYTES are reserved for it. */
static void put_line_tail(struct line *line, bool truncated) {
    static const char *const tails[2][2] = {{"}\n", ",\"truncated\":true}\n"}, {"\n", " truncated=true\n"}};
    const char *tail = tails[as_text][truncated];
    memcpy(line->text + line->length, tail, strlen(tail));
    line->length += strlen(tail);
}

static void write_here(const char *text, size_t bytes) {
    size_t written = 0;
    while (written < bytes) {
        ssize_t count = write(STDERR_FILENO, text + written, bytes - written);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return; /* nowhere to report it */
        }
        written += (size_t)count;
    }
}

static void hand_over(const char *text, size_t bytes) {
    if (!log_writer_put(text, bytes)) {
        write_here(text, bytes);
    }
}

bool log_wants(const struct log_event *event) {
    return (int)event->level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

/* Adds the ids of the running call and of its trace. */
static void put_call(struct line *line, const struct call *call, bool *truncated) {
    if (call == NULL) {
        return;
    }
    char trace_id[33] = ""; /* of "00-<trace id>-…" */
    if (strlen(call->traceparent) > 3 + 32) {
        memcpy(trace_id, call->traceparent + 3, 32);
    }
    struct log_field fields[] = {log_str("call_id", call->id), log_str("trace_id", trace_id)};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].str[0] != '\0') {
            put_log_field(line, &fields[i], truncated);
        }
    }
}

static void build_line(struct line *line, const struct log_event *event, va_list fields) {
    bool truncated = false;
    line->length = 0;
    line->full = false;
    put_head(line, event);
    put_call(line, call_current(), &truncated);
    for (struct log_field field = va_arg(fields, struct log_field); field.kind != LOG_FIELD_END;
         field = va_arg(fields, struct log_field)) {
        put_log_field(line, &field, &truncated);
    }
    put_line_tail(line, truncated);
}

void log_emit(const struct log_event *event, ...) {
    if (!log_wants(event)) {
        return;
    }
    int saved_errno = errno;
    struct line line;
    va_list fields;
    va_start(fields, event);
    build_line(&line, event, fields);
    va_end(fields);
    hand_over(line.text, line.length);
    errno = saved_errno;
}

void log_text(const char *text) {
    struct line line = {.length = 0};
    put_line_bytes(&line, text, strnlen(text, LINE_BYTES - LINE_RESERVE_BYTES));
    line.text[line.length++] = '\n';
    hand_over(line.text, line.length);
}

/* ---- the writer ---- */

/* Not build_line(): the call that is under way has not caused it. */
static size_t make_notice(uint64_t dropped, char *ret_line) {
    struct line line = {.length = 0};
    struct log_field count = log_u64("lines", dropped);
    bool truncated = false;
    put_head(&line, &LOG_LINES_DROPPED);
    put_log_field(&line, &count, &truncated);
    put_line_tail(&line, truncated);
    size_t bytes = line.length < LOG_WRITER_NOTICE_BYTES ? line.length : LOG_WRITER_NOTICE_BYTES;
    memcpy(ret_line, line.text, bytes);
    return bytes;
}

bool log_start(void) {
    return log_writer_start(make_notice);
}

bool log_flush(unsigned wait_ms) {
    return log_writer_flush(wait_ms);
}

void log_end(unsigned wait_ms) {
    log_writer_end(wait_ms);
}

uint64_t log_dropped_count(void) {
    return log_writer_dropped_count();
}
