/*
 * Finds cycles of messages. It searches breadth first from each message, so that it reports a shortest cycle. A message
 * of a reported cycle is not reported again.
 */
#include "gen/plugin/check.h"
#include "gen/plugin/names.h"

#include <string.h>

struct visit {
    const struct model_message *message;
    const struct model_field *by; /* field through which it was reached */
    size_t from;                  /* index of the visit before */
};

struct search {
    struct visit *visits;
    size_t count;
};

static bool seen(const struct search *search, const struct model_message *message) {
    for (size_t i = 1; i < search->count; i++) {
        if (search->visits[i].message == message) {
            return true;
        }
    }
    return false;
}

/* Index of the visit that reaches @start again; 0: none does. */
static size_t find_way_back(struct search *search, const struct model_message *start) {
    search->visits[0] = (struct visit){start, NULL, 0};
    search->count = 1;
    for (size_t i = 0; i < search->count; i++) {
        const struct model_message *message = search->visits[i].message;
        for (size_t j = 0; j < message->field_count; j++) {
            const struct model_field *field = &message->fields[j];
            if (field->message == NULL || seen(search, field->message)) {
                continue;
            }
            search->visits[search->count] = (struct visit){field->message, field, i};
            if (field->message == start) {
                return search->count;
            }
            search->count++;
        }
    }
    return 0;
}

static const char *describe_way(struct pool *pool, const struct model_file *file, const struct search *search,
                                size_t end) {
    const char *way = name_short(file->package, search->visits[end].message->full_name);
    for (size_t i = end; i != 0; i = search->visits[i].from) {
        const struct visit *from = &search->visits[search->visits[i].from];
        way = pool_printf(pool, "%s.%s -> %s", name_short(file->package, from->message->full_name),
                          search->visits[i].by->proto->name, way);
    }
    return way;
}

static size_t index_in_file(const struct model_file *file, const struct model_message *message) {
    return message->file == file ? (size_t)(message - file->messages) : SIZE_MAX;
}

/* Most visits of a search: all messages, the start twice. */
static size_t visits_max(const struct model_file *file) {
    size_t count = file->message_count + 2;
    for (size_t i = 0; i < file->dependency_count; i++) {
        if (file->dependencies[i] != NULL) {
            count += visits_max(file->dependencies[i]);
        }
    }
    return count;
}

void check_cycles(const struct model_file *file, struct problems *problems) {
    struct pool pool = {0};
    struct search search = {.visits = pool_array(&pool, visits_max(file), sizeof(struct visit))};
    bool *reported = pool_array(&pool, file->message_count, sizeof(bool));
    for (size_t i = 0; i < file->message_count; i++) {
        if (reported[i]) {
            continue;
        }
        size_t end = find_way_back(&search, &file->messages[i]);
        if (end == 0) {
            continue;
        }
        problem_add(problems, file, file->messages[i].source.line,
                    "message %s is recursive (%s): messages nest to a fixed depth only; refer by id instead",
                    name_short(file->package, file->messages[i].full_name), describe_way(&pool, file, &search, end));
        for (size_t j = end; j != 0; j = search.visits[j].from) {
            size_t index = index_in_file(file, search.visits[j].message);
            if (index != SIZE_MAX) {
                reported[index] = true;
            }
        }
    }
    pool_fini(&pool);
}
