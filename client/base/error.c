/* Errors and codes: herald/error.h, herald/code.h. Text that does not fit is cut where a character ends. */
#include "herald/error.h"

#include "herald/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct code_row {
    const char *name;
    const char *text;
    enum herald_code code;
    enum herald_retry retry;
    bool wire;
};

static const struct code_row code_rows[] = {
#define HERALD_CODE_ROW(name, number, text, retry, wire) {#name, text, HERALD_##name, HERALD_RETRY_##retry, wire},
    HERALD_CODES(HERALD_CODE_ROW)
#undef HERALD_CODE_ROW
};

/* The row of a code; UNKNOWN's row for a number that is no code. */
static const struct code_row *code_row(int code) {
    for (size_t i = 0; i < sizeof(code_rows) / sizeof(code_rows[0]); i++) {
        if ((int)code_rows[i].code == code) {
            return &code_rows[i];
        }
    }
    return &code_rows[HERALD_UNKNOWN];
}

const char *herald_code_name(int code) {
    return code_row(code)->name;
}

const char *herald_code_text(int code) {
    return code_row(code)->text;
}

enum herald_retry herald_code_retry(int code) {
    return code_row(code)->retry;
}

enum herald_code herald_code_to_wire(enum herald_code code) {
    const struct code_row *row = code_row((int)code);
    return row->wire ? row->code : HERALD_UNKNOWN;
}

enum herald_code herald_code_from_wire(int code) {
    const struct code_row *row = code_row(code);
    return row->wire ? row->code : HERALD_UNKNOWN;
}

/* Formats into a buffer; what does not fit is cut where a character ends. */
static void format_cut(char *buffer, size_t buffer_bytes, const char *format, va_list args) {
    int length = vsnprintf(buffer, buffer_bytes, format, args);
    if (length < 0) {
        buffer[0] = '\0';
    } else if ((size_t)length >= buffer_bytes) {
        buffer[herald_utf8_cut(buffer, buffer_bytes - 1, buffer_bytes - 2)] = '\0';
    }
}

static void copy_cut(char *buffer, size_t buffer_bytes, const char *text) {
    size_t length = text ? strnlen(text, buffer_bytes) : 0;
    if (length >= buffer_bytes) {
        length = herald_utf8_cut(text, length, buffer_bytes - 1);
    }
    if (length > 0) {
        memcpy(buffer, text, length);
    }
    buffer[length] = '\0';
}

/* @reason  may be the text of *reterr itself */
static void __attribute__((format(printf, 4, 0))) fill_error(struct herald_error *reterr, enum herald_code code,
                                                             const char *reason, const char *format, va_list args) {
    if (!reterr) {
        return;
    }
    /* The arguments may point into *reterr itself ("while …: %s"), so the text is made beside it. */
    char message[sizeof(reterr->message)];
    format_cut(message, sizeof(message), format, args);
    char reason_copy[sizeof(reterr->reason)];
    copy_cut(reason_copy, sizeof(reason_copy), reason);
    reterr->code = code;
    reterr->retry_after_ms = 0;
    memcpy(reterr->reason, reason_copy, strlen(reason_copy) + 1);
    memcpy(reterr->message, message, strlen(message) + 1);
    reterr->origin[0] = '\0';
    reterr->detail_count = 0;
}

enum herald_code herald_error_setv(struct herald_error *reterr, enum herald_reason reason, const char *format,
                                   va_list args) {
    enum herald_code code = herald_reason_code(reason);
    assert(code != HERALD_OK); /* the words of details are no errors */
    if (code == HERALD_OK) {
        code = HERALD_INTERNAL;
    }
    fill_error(reterr, code, herald_reason_name(reason), format, args);
    return code;
}

enum herald_code herald_error_set(struct herald_error *reterr, enum herald_reason reason, const char *format, ...) {
    va_list args;
    va_start(args, format);
    enum herald_code code = herald_error_setv(reterr, reason, format, args);
    va_end(args);
    return code;
}

enum herald_code herald_error_set_code(struct herald_error *reterr, enum herald_code code, const char *reason,
                                       const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill_error(reterr, code, reason, format, args);
    va_end(args);
    return code;
}

enum herald_code herald_error_no_memory(struct herald_error *reterr, const char *what, ...) {
    char text[sizeof(reterr->message)];
    va_list args;
    va_start(args, what);
    format_cut(text, sizeof(text), what, args);
    va_end(args);
    return herald_error_set(reterr, HERALD_REASON_OUT_OF_MEMORY, "no memory for %s", text);
}

bool herald_error_is(const struct herald_error *error, enum herald_reason reason) {
    const char *word = herald_reason_name(reason);
    return word[0] != '\0' && strcmp(error->reason, word) == 0;
}

void herald_error_add_detail(struct herald_error *error, const char *field, enum herald_reason reason,
                             const char *format, ...) {
    if (!error || error->detail_count >= HERALD_ERROR_DETAILS_MAX) {
        return;
    }
    struct herald_error_detail *detail = &error->details[error->detail_count++];
    copy_cut(detail->field, sizeof(detail->field), field);
    copy_cut(detail->reason, sizeof(detail->reason), herald_reason_name(reason));
    va_list args;
    va_start(args, format);
    format_cut(detail->message, sizeof(detail->message), format, args);
    va_end(args);
}

void herald_error_add_details(struct herald_error *error, const struct herald_error *from) {
    for (uint32_t i = 0; error && i < from->detail_count && error->detail_count < HERALD_ERROR_DETAILS_MAX; i++) {
        error->details[error->detail_count++] = from->details[i];
    }
}

void herald_error_copy(struct herald_error *to, const struct herald_error *from) {
    if (!to || !from || to == from) {
        return;
    }
    memcpy(to, from, offsetof(struct herald_error, details));
    if (to->detail_count > HERALD_ERROR_DETAILS_MAX) {
        to->detail_count = HERALD_ERROR_DETAILS_MAX;
    }
    memcpy(to->details, from->details, to->detail_count * sizeof(to->details[0]));
}
