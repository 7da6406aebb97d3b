#ifndef HERALD_TESTS_LINT_ANALYZER_H
#define HERALD_TESTS_LINT_ANALYZER_H

/* Included before each file that clang-tidy looks at: what it cannot see by itself from one file. */

#include "herald/error.h"
#include "server/runtime/arena.h"

/* These return the code of their reason, herald_error_set_code() the code it is given: never HERALD_OK. */
static inline enum herald_code herald_lint_bad(enum herald_code code) {
    if (code == HERALD_OK) {
        __builtin_unreachable();
    }
    return code;
}
#define herald_error_set(...)       herald_lint_bad(herald_error_set(__VA_ARGS__))
#define herald_error_set_code(...)  herald_lint_bad(herald_error_set_code(__VA_ARGS__))
#define herald_error_no_memory(...) herald_lint_bad(herald_error_no_memory(__VA_ARGS__))
#define arena_full(...)             herald_lint_bad(arena_full(__VA_ARGS__))

#endif
