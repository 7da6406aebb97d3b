/* The table of reasons: rows by number. by_word has the same rows sorted by word, made at first use. */
#include "herald/reason.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct reason_row {
    const char *name;
    const char *meaning;
    enum herald_code code;
    enum herald_reason_stage stage;
};

static const struct reason_row rows[HERALD_REASON_LAST + 1] = {
    [HERALD_REASON_NONE] = {"", "", HERALD_OK, HERALD_STAGE_EITHER},
#define HERALD_REASON_ROW(name, number, code, stage, meaning)                                                          \
    [number] = {#name, meaning, HERALD_##code, HERALD_STAGE_##stage},
    HERALD_REASONS(HERALD_REASON_ROW)
#undef HERALD_REASON_ROW
};

#define HERALD_REASON_ONE(name, number, code, stage, meaning) +1
static_assert(HERALD_REASONS(HERALD_REASON_ONE) == HERALD_REASON_COUNT,
              "HERALD_REASON_COUNT is not the number of rows");
#undef HERALD_REASON_ONE

/* The reason with which a refusal is passed on; NONE for a reason that is no refusal. */
static const enum herald_reason downstream[HERALD_REASON_LAST + 1] = {
    [HERALD_REASON_DRAINING] = HERALD_REASON_DOWNSTREAM_DRAINING,
    [HERALD_REASON_TOO_MANY_CALLS] = HERALD_REASON_DOWNSTREAM_TOO_MANY_CALLS,
    [HERALD_REASON_TOO_MANY_CALLS_OF_METHOD] = HERALD_REASON_DOWNSTREAM_TOO_MANY_CALLS_OF_METHOD,
    [HERALD_REASON_TOO_MANY_CALLS_OF_CALLER] = HERALD_REASON_DOWNSTREAM_TOO_MANY_CALLS_OF_CALLER,
    [HERALD_REASON_LIMIT_REACHED] = HERALD_REASON_DOWNSTREAM_LIMIT_REACHED,
    [HERALD_REASON_QUEUE_TIMEOUT] = HERALD_REASON_DOWNSTREAM_QUEUE_TIMEOUT,
    [HERALD_REASON_TOO_MANY_CONNECTIONS] = HERALD_REASON_DOWNSTREAM_TOO_MANY_CONNECTIONS,
    [HERALD_REASON_SIGNED_BEFORE_START] = HERALD_REASON_DOWNSTREAM_SIGNED_BEFORE_START,
};

static const struct reason_row *by_word[HERALD_REASON_COUNT];
static pthread_once_t sorted = PTHREAD_ONCE_INIT;

static const struct reason_row *reason_row_of(enum herald_reason reason) {
    bool used = (unsigned)reason <= HERALD_REASON_LAST && rows[reason].name;
    return used ? &rows[reason] : &rows[HERALD_REASON_NONE];
}

static int compare_rows(const void *a, const void *b) {
    const struct reason_row *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static int compare_word(const void *word, const void *row) {
    const struct reason_row *const *found = row;
    return strcmp(word, (*found)->name);
}

static void sort_rows(void) {
    size_t count = 0;
    for (size_t i = 1; i <= HERALD_REASON_LAST; i++) {
        if (rows[i].name) {
            by_word[count++] = &rows[i];
        }
    }
    assert(count == HERALD_REASON_COUNT);
    qsort(by_word, HERALD_REASON_COUNT, sizeof(by_word[0]), compare_rows);
}

const char *herald_reason_name(enum herald_reason reason) {
    return reason_row_of(reason)->name;
}

enum herald_reason herald_reason_find(const char *word) {
    if (!word || word[0] == '\0') {
        return HERALD_REASON_NONE;
    }
    pthread_once(&sorted, sort_rows);
    const struct reason_row *const *found =
        bsearch(word, by_word, HERALD_REASON_COUNT, sizeof(by_word[0]), compare_word);
    return found ? (enum herald_reason)(*found - rows) : HERALD_REASON_NONE;
}

enum herald_code herald_reason_code(enum herald_reason reason) {
    return reason_row_of(reason)->code;
}

enum herald_reason_stage herald_reason_stage(enum herald_reason reason) {
    return reason_row_of(reason)->stage;
}

const char *herald_reason_meaning(enum herald_reason reason) {
    return reason_row_of(reason)->meaning;
}

enum herald_reason herald_reason_downstream(enum herald_reason reason) {
    return (unsigned)reason <= HERALD_REASON_LAST ? downstream[reason] : HERALD_REASON_NONE;
}

bool herald_reason_is_refusal(enum herald_reason reason) {
    return herald_reason_stage(reason) == HERALD_STAGE_REFUSED;
}
