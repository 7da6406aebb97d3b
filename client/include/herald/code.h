#ifndef HERALD_CODE_H
#define HERALD_CODE_H

#include "herald/decls.h"

#include <stdbool.h>

HERALD_BEGIN_DECLS

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
    /* Sent, and no answer came: it may have happened. Local; on the wire it is UNKNOWN. */                            \
    X(OUTCOME_UNKNOWN, 32, "outcome unknown", NEVER, false)

enum herald_code {
#define HERALD_CODE_ENUM(name, number, text, retry, wire) HERALD_##name = (number),
    HERALD_CODES(HERALD_CODE_ENUM)
#undef HERALD_CODE_ENUM
};

/** Whether trying again can help, where trying again is safe. */
enum herald_retry { HERALD_RETRY_NEVER, HERALD_RETRY_SOON, HERALD_RETRY_LATER };

/** Name of a code as in the table ("NOT_FOUND"); "UNKNOWN" for a number that is no code. Never NULL; static. */
const char *herald_code_name(int code);
/** Text of a code for people; static. */
const char *herald_code_text(int code);
/** Class of retry of a code. */
enum herald_retry herald_code_retry(int code);
/** The code to send. Returns: @code, or HERALD_UNKNOWN for a code that is not of the wire (HERALD_OUTCOME_UNKNOWN). */
enum herald_code herald_code_to_wire(enum herald_code code);
/** The code of a number from the wire. Returns: @code, or HERALD_UNKNOWN for a number that is no code of the wire. */
enum herald_code herald_code_from_wire(int code);

HERALD_END_DECLS

#endif
