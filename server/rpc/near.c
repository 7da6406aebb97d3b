#include "server/rpc/near.h"

#include "client/base/edit_distance.h"
#include "client/base/full_name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NEAR_MAX 3u
/* Names whose distance is more than a third of their length are not similar. */
#define ALIKE_PART 3u

void rpc_show_name(const char *name, char ret_shown[RPC_NAME_SHOWN_MAX]) {
    size_t i = 0;
    for (; name[i] && i < RPC_NAME_SHOWN_MAX - 1; i++) {
        ret_shown[i] = (char)(name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?');
    }
    ret_shown[i] = '\0';
}

/* The distance, or a value beyond @limit if the lengths alone exceed it. Peers choose the name, so this bounds the
 * work. */
static unsigned distance_within(const char *a, const char *b, size_t limit) {
    size_t a_chars = strnlen(a, HERALD_EDIT_DISTANCE_MAX_BYTES), b_chars = strnlen(b, HERALD_EDIT_DISTANCE_MAX_BYTES);
    size_t least_edits = a_chars > b_chars ? a_chars - b_chars : b_chars - a_chars;
    return least_edits > limit ? UINT32_MAX : herald_edit_distance(a, b);
}

/* The distance of a served method from the requested name: 0 is nearest; UINT_MAX: not similar. */
static unsigned score(const struct herald_method_schema *method, const char *name) {
    const char *tail = herald_last_part(name);
    if (strcasecmp(tail, method->name) == 0) {
        return 0;
    }
    if (strlen(name) >= 3 && strcasestr(method->full_name, name)) {
        return 1;
    }
    size_t whole_limit = strnlen(name, HERALD_EDIT_DISTANCE_MAX_BYTES) / ALIKE_PART / 2;
    unsigned whole = distance_within(name, method->full_name, whole_limit);
    if (whole <= whole_limit) {
        return 2 + whole;
    }
    size_t part_limit = strnlen(tail, HERALD_EDIT_DISTANCE_MAX_BYTES) / ALIKE_PART;
    unsigned part = distance_within(tail, method->name, part_limit);
    return part <= part_limit ? 2 + part : UINT32_MAX;
}

struct candidate {
    const char *name;
    unsigned score;
};

/* Inserts a candidate if it is among the best, nearest first. */
static void offer(struct candidate best[NEAR_MAX], const char *name, unsigned its_score) {
    for (unsigned i = 0; i < NEAR_MAX; i++) {
        if (its_score >= best[i].score) {
            continue;
        }
        memmove(&best[i + 1], &best[i], (NEAR_MAX - 1 - i) * sizeof(*best));
        best[i] = (struct candidate){.name = name, .score = its_score};
        return;
    }
}

void rpc_near_methods(const struct registry *registry, const char *name, char *ret_names, size_t room) {
    struct candidate best[NEAR_MAX] = {{NULL, UINT32_MAX}, {NULL, UINT32_MAX}, {NULL, UINT32_MAX}};
    for (size_t s = 0; s < registry->service_count; s++) {
        const struct herald_service_schema *service = registry->services[s]->schema;
        for (size_t m = 0; m < service->method_count; m++) {
            offer(best, service->methods[m].full_name, score(&service->methods[m], name));
        }
    }
    size_t used = 0;
    *ret_names = '\0';
    for (unsigned i = 0; i < NEAR_MAX && best[i].name && used < room; i++) {
        used += (size_t)snprintf(ret_names + used, room - used, "%s%s", i ? ", " : "", best[i].name);
    }
}
