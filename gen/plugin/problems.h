#ifndef HERALD_GEN_PROBLEMS_H
#define HERALD_GEN_PROBLEMS_H

#include "gen/plugin/memory.h"
#include "gen/plugin/model.h"

/** All problems of the schemas, to be reported at once. Zeroed is empty. */
struct problems {
    struct pool pool;
    struct problem *items;
    size_t count, capacity;
};

/** Adds "file:line: message". */
void problem_add(struct problems *problems, const struct model_file *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/** One line each, ordered by file (imports first) and line. Lives as long as @problems. */
const char *problems_text(struct problems *problems);
void problems_fini(struct problems *problems);

#endif
