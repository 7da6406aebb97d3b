#ifndef HERALD_ERROR_H
#define HERALD_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The vocabulary of results, shared by the client library and every layer of the servers: it depends on nothing but
 * libc, so that each layer may use it.
 *
 * Functions return an enum herald_code, 0 for success. What went wrong in detail goes into a struct herald_error of
 * fixed size, given as an optional last parameter `reterr`, untouched on success.
 */

/* One row for each code: name, number, text, class of retry, whether it may appear on the wire.
 * The first 17 are gRPC's, with gRPC's numbers; the schema's enum herald.rpc.v1.Code lists the same. */
#define HERALD_CODES(X)                                                                                                \
    X(OK, 0, "ok", NEVER, true)                                                                                        \
    X(CANCELLED, 1, "cancelled", NEVER, true)                                                                          \
    X(UNKNOWN, 2, "unknown error", NEVER, true)                                                                        \
    X(INVALID_ARGUMENT, 3, "invalid argument", NEVER, true)                                                            \
    X(DEADLINE_EXCEEDED, 4, "deadline exceeded", NEVER, true)                                                          \
    X(NOT_FOUND, 5, "not found", NEVER, true)                                                                          \
    X(ALREADY_EXISTS, 6, "already exists", NEVER, true)                                                                \
    X(PERMISSION_DENIED, 7, "permission denied", NEVER, true)                                                          \
    X(RESOURCE_EXHAUSTED, 8, "resource exhausted", LATER, true)                                                        \
    X(FAILED_PRECONDITION, 9, "failed precondition", NEVER, true)                                                      \
    X(ABORTED, 10, "aborted", SOON, true)                                                                              \
    X(OUT_OF_RANGE, 11, "out of range", NEVER, true)                                                                   \
    X(UNIMPLEMENTED, 12, "unimplemented", NEVER, true)                                                                 \
    X(INTERNAL, 13, "internal error", NEVER, true)                                                                     \
    X(UNAVAILABLE, 14, "unavailable", LATER, true)                                                                     \
    X(DATA_LOSS, 15, "data loss", NEVER, true)                                                                         \
    X(UNAUTHENTICATED, 16, "unauthenticated", NEVER, true)                                                             \
    /* Sent, and no answer: it may have happened. Local; goes out as UNKNOWN. */                                       \
    X(OUTCOME_UNKNOWN, 32, "outcome unknown", NEVER, false)

enum herald_code {
#define HERALD_CODE_ENUM(name, number, text, retry, wire) HERALD_##name = (number),
    HERALD_CODES(HERALD_CODE_ENUM)
#undef HERALD_CODE_ENUM
};

/** Whether trying again can help, where trying again is safe. */
enum herald_retry { HERALD_RETRY_NEVER, HERALD_RETRY_SOON, HERALD_RETRY_LATER };

#define HERALD_ERROR_DETAILS_MAX 16

struct herald_error_detail {
    char field[128];   /* path in JSON names, "draft.store.name", "selectedChannels[2]"; may be empty */
    char reason[48];   /* stable upper-case word */
    char message[192]; /* sentence */
};

struct herald_error {
    enum herald_code code;
    uint32_t retry_after_ms; /* 0: not said */
    char reason[64];         /* stable upper-case word for programs */
    char message[512];       /* sentence for people: what, where, what to do */
    char origin[64];         /* SQLSTATE, Redis reply, Kafka code, HTTP status; may be empty; not sent to peers */
    uint32_t detail_count;   /* 0..HERALD_ERROR_DETAILS_MAX */
    struct herald_error_detail details[HERALD_ERROR_DETAILS_MAX];
};

/** Name of a code as in the table ("NOT_FOUND"); "UNKNOWN" for a number that is none. Never NULL; static. */
const char *herald_code_name(int code);
/** Text of a code for people; static. */
const char *herald_code_text(int code);
/** Class of retry of a code. */
enum herald_retry herald_code_retry(int code);
/** The code as it goes out: itself, or UNKNOWN for local codes. */
enum herald_code herald_code_to_wire(enum herald_code code);
/** The code that came in: itself, or UNKNOWN for a number that is no code of the wire. */
enum herald_code herald_code_from_wire(int code);

/**
 * Fills an error and returns its code, so that `return herald_error_set(reterr, …)` ends a function.
 *
 * @reterr  filled, over-long text cut at a character boundary; may be NULL. Details are cleared.
 * Context: any thread
 */
enum herald_code herald_error_set(struct herald_error *reterr, enum herald_code code, const char *reason,
                                  const char *format, ...) __attribute__((format(printf, 4, 5)));
enum herald_code herald_error_setv(struct herald_error *reterr, enum herald_code code, const char *reason,
                                   const char *format, va_list args) __attribute__((format(printf, 4, 0)));
/** Adds a detail; beyond the limit it is dropped. @error may be NULL. */
void herald_error_add_detail(struct herald_error *error, const char *field, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/** Copies an error; both may be NULL. Only the details in use are copied. */
void herald_error_copy(struct herald_error *to, const struct herald_error *from);

#endif
