#include "gen/plugin/problems.h"

#include <stdlib.h>
#include <string.h>

struct problem {
    const struct model_file *file;
    int line;
    size_t order; /* of discovery: keeps the sort stable */
    const char *message;
};

void problem_add(struct problems *problems, const struct model_file *file, int line, const char *format, ...) {
    if (problems->count == problems->capacity) {
        size_t capacity = problems->capacity == 0 ? 64 : 2 * problems->capacity;
        struct problem *items = pool_array(&problems->pool, capacity, sizeof(*items));
        if (problems->count > 0) {
            memcpy(items, problems->items, problems->count * sizeof(*items));
        }
        problems->items = items;
        problems->capacity = capacity;
    }
    va_list args;
    va_start(args, format);
    char *message = pool_vprintf(&problems->pool, format, args);
    va_end(args);
    problems->items[problems->count] = (struct problem){file, line, problems->count, message};
    problems->count++;
}

static int compare_problems(const void *a, const void *b) {
    const struct problem *left = a, *right = b;
    if (left->file != right->file) {
        return left->file > right->file ? 1 : -1; /* files stand in one array */
    }
    if (left->line != right->line) {
        return left->line > right->line ? 1 : -1;
    }
    return (left->order > right->order) - (left->order < right->order);
}

const char *problems_text(struct problems *problems) {
    struct text text = {0};
    if (problems->count > 0) {
        qsort(problems->items, problems->count, sizeof(*problems->items), compare_problems);
    }
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        text_addf(&text, "%s%s:%d: %s", i == 0 ? "" : "\n", problem->file->proto->name, problem->line,
                  problem->message);
    }
    const char *copy = pool_printf(&problems->pool, "%s", text.length > 0 ? text.data : "");
    text_fini(&text);
    return copy;
}

void problems_fini(struct problems *problems) {
    pool_fini(&problems->pool);
}
