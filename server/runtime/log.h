#ifndef HERALD_RUNTIME_LOG_H
#define HERALD_RUNTIME_LOG_H

/*
 * Structured logs: JSON lines on stderr, or readable text on a terminal. Only the edges of services log; lower layers
 * return errors. Each module that logs has a table of its events:
 *
 *     #define EVENT_LOG(X) \
 *         X(LOG_EVENT_PUBLISHED, LOG_INFO, "event.published", "An event became ACTIVE.")
 *     LOG_EVENTS(EVENT_LOG)          // in one .c file: defines the events
 *     LOG_EVENTS_DECLARE(EVENT_LOG)  // in a header: declares them
 *
 * and emits them: log_emit(&LOG_EVENT_PUBLISHED, log_str("event_id", id), log_u64("accepted", n), LOG_END).
 * log_emit() adds the id of the running call.
 */
#include "herald/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

struct log_event {
    enum log_level level;
    const char *id;      /* "event.published" */
    const char *meaning; /* one line, for the operator's reference and for text output */
};

#define LOG_EVENT_DEFINE_(name, level_, id_, meaning_)  const struct log_event name = {level_, id_, meaning_};
#define LOG_EVENT_DECLARE_(name, level_, id_, meaning_) extern const struct log_event name;
#define LOG_EVENT_POINTER_(name, level_, id_, meaning_) &name,
#define LOG_EVENTS(TABLE)                               TABLE(LOG_EVENT_DEFINE_)
#define LOG_EVENTS_DECLARE(TABLE)                       TABLE(LOG_EVENT_DECLARE_)
#define LOG_EVENTS_LIST(TABLE)                          TABLE(LOG_EVENT_POINTER_)

struct log_field {
    const char *name;
    enum { LOG_FIELD_END, LOG_FIELD_STR, LOG_FIELD_U64, LOG_FIELD_I64, LOG_FIELD_ERROR } kind;
    union {
        const char *str; /* control bytes escaped, cut at 512 bytes; NULL writes null */
        uint64_t u64;
        int64_t i64;
        const struct herald_error *error; /* code, reason, message, origin */
    };
};
static inline struct log_field log_str(const char *name, const char *value) {
    return (struct log_field){.name = name, .kind = LOG_FIELD_STR, .str = value};
}
static inline struct log_field log_u64(const char *name, uint64_t value) {
    return (struct log_field){.name = name, .kind = LOG_FIELD_U64, .u64 = value};
}
static inline struct log_field log_i64(const char *name, int64_t value) {
    return (struct log_field){.name = name, .kind = LOG_FIELD_I64, .i64 = value};
}
static inline struct log_field log_error(const struct herald_error *error) {
    return (struct log_field){.name = "error", .kind = LOG_FIELD_ERROR, .error = error};
}
#define LOG_END ((struct log_field){.kind = LOG_FIELD_END})

/** Sets up the log, before threads start. @server  program name on every line; static */
void log_init(const char *server, enum log_level least, enum log_format format);
/** Sets the least level that is written. Returns the previous one. Any thread. */
enum log_level log_set_level(enum log_level least);
/** True when log_emit() would log the event. Saves collecting fields for nothing. Any thread. */
bool log_wants(const struct log_event *event);
/** Logs one line. After log_start() it never waits for the reader of stderr; before, it writes the line itself. Any
 *  thread, not in a signal handler. The variable arguments are struct log_field, the last LOG_END. */
void log_emit(const struct log_event *event, ...);
/** Writes a text of its own as a line, in its turn; a very long one is cut. As log_emit(). */
void log_text(const char *text);

/* What the log says of itself. */
#define RUNTIME_LOG(X)                                                                                                 \
    X(LOG_LINES_DROPPED, LOG_WARNING, "log.lines_dropped",                                                             \
      "Lines are missing here: stderr was not read, or its disk was full, for longer than memory could hold them.")
LOG_EVENTS_DECLARE(RUNTIME_LOG)

/**
 * Has a thread of its own write the lines from now on. While stderr takes none (a full pipe or disk, a closed pipe) up
 * to 1 MiB of lines wait; more are dropped, counted, and told of by a line log.lines_dropped. A crash waits shortly for
 * the lines that wait.
 *
 * Returns: false: no thread; lines are written as before
 * Context: the main thread, before others log
 */
bool log_start(void);
/** Waits until all lines are written, @wait_ms at most. Returns: true when they are. Any thread. */
bool log_flush(unsigned wait_ms);
/** Ends the thread when all lines are written, or after @wait_ms: then the rest is lost. The main thread, when others
 *  log no more. */
void log_end(unsigned wait_ms);
/** Lines dropped since log_start(). Any thread. */
uint64_t log_dropped_count(void);

#endif
