#ifndef HERALD_SETTINGS_CONFIG_PROBLEMS_H
#define HERALD_SETTINGS_CONFIG_PROBLEMS_H

/*
 * What is wrong with a configuration beyond single values: files that are missing, an address that would let everybody in.
 * Each room checks what it will open, with the functions that it opens it with, and hands its errors on. So
 * --check-config and the start find the same, and one run shows all of it.
 */
#include "herald/error.h"

/** Where problems go. */
struct config_problems {
    void (*tell)(void *user, const struct herald_error *problem);
    void *user;
    unsigned count;
};

/** Hands on a problem, unless @code is HERALD_OK. */
static inline void config_problem(struct config_problems *problems, enum herald_code code,
                                  const struct herald_error *problem) {
    if (code != HERALD_OK) {
        problems->count++;
        problems->tell(problems->user, problem);
    }
}

#endif
