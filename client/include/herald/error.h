#ifndef HERALD_ERROR_H
#define HERALD_ERROR_H

/*
 * Results of functions, for the client library and every layer of the servers. This header depends on libc alone, so
 * that each layer may use it.
 *
 * Functions return an enum herald_code, 0 for success. The details of a failure go into a struct herald_error of fixed
 * size, given as an optional last parameter `reterr`. It is untouched on success.
 */
#include "herald/code.h"
#include "herald/decls.h"
#include "herald/reason.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HERALD_BEGIN_DECLS

#define HERALD_ERROR_DETAILS_MAX 16

struct herald_error_detail {
    char field[128];   /* path in JSON names, "draft.store.name", "selectedChannels[2]"; may be empty */
    char reason[48];   /* stable upper-case word */
    char message[192]; /* sentence */
};

struct herald_error {
    enum herald_code code;
    uint32_t retry_after_ms; /* 0: not said */
    char reason[64];         /* stable word for programs: herald/reason.h */
    char message[512];       /* sentence for people: what, where, what to do */
    char origin[64];         /* SQLSTATE, Redis reply, Kafka code, HTTP status; may be empty; not sent to peers */
    uint32_t detail_count;   /* 0..HERALD_ERROR_DETAILS_MAX */
    struct herald_error_detail details[HERALD_ERROR_DETAILS_MAX];
};

/**
 * Fills an error and returns its code, so that `return herald_error_set(reterr, …)` ends a function.
 *
 * @reterr  filled; over-long text is cut at a character boundary, details are cleared. May be NULL
 * @reason  gives code and word (herald/reason.h); not one of stage DETAIL
 * Returns: herald_reason_code(reason)
 * Context: any thread
 */
enum herald_code herald_error_set(struct herald_error *reterr, enum herald_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** As herald_error_set(), with a va_list. */
enum herald_code herald_error_setv(struct herald_error *reterr, enum herald_reason reason, const char *format,
                                   va_list args) __attribute__((format(printf, 3, 0)));
/**
 * As herald_error_set(), with a code that is known only at run time, or a word from a peer or a caller.
 *
 * @code    not HERALD_OK
 * @reason  the word; copied; need not be in the table of reasons
 * Returns: @code
 */
enum herald_code herald_error_set_code(struct herald_error *reterr, enum herald_code code, const char *reason,
                                       const char *format, ...) __attribute__((format(printf, 4, 5)));
/**
 * Sets the error of missing memory: RESOURCE_EXHAUSTED, OUT_OF_MEMORY, "no memory for WHAT". Nothing else sets it.
 *
 * @what    what the memory was for, "a credential"; a format as printf() takes it
 * Returns: HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code herald_error_no_memory(struct herald_error *reterr, const char *what, ...)
    __attribute__((format(printf, 2, 3)));
/** Whether an error has this reason, whatever its code; false for NONE. */
bool herald_error_is(const struct herald_error *error, enum herald_reason reason);
/** Adds a detail; beyond the limit it is dropped. @error may be NULL. */
void herald_error_add_detail(struct herald_error *error, const char *field, enum herald_reason reason,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));
/** Adds the details of another error; those beyond the limit are dropped. @error may be NULL. */
void herald_error_add_details(struct herald_error *error, const struct herald_error *from);
/** Copies an error; both may be NULL. Only the details in use are copied. */
void herald_error_copy(struct herald_error *to, const struct herald_error *from);

HERALD_END_DECLS

#endif
