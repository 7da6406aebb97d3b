#include "server/rpc/near.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NEAR_MAX       3u
#define COMPARED_CHARS 96u
/* Names further apart than a third of their length are not alike. */
#define ALIKE_PART 3u

void rpc_show_name(const char *name, char ret_shown[RPC_NAME_SHOWN_MAX]) {
    size_t i = 0;
    for (; name[i] && i < RPC_NAME_SHOWN_MAX - 1; i++) {
        ret_shown[i] = (char)(name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?');
    }
    ret_shown[i] = '\0';
}

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Levenshtein's distance of the beginnings, without regard to case. */
static unsigned distance(const char *a, const char *b) {
    unsigned row[COMPARED_CHARS + 1];
    size_t a_chars = strnlen(a, COMPARED_CHARS), b_chars = strnlen(b, COMPARED_CHARS);
    for (unsigned j = 0; j <= b_chars; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a_chars; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b_chars; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            unsigned replaced = diagonal + (same ? 0 : 1);
            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_chars];
}

static const char *last_part(const char *name) {
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(slash ? slash : name, '.');
    return dot ? dot + 1 : slash ? slash + 1 : name;
}

/* The distance, or one that is too far where the lengths alone tell: a peer may send what it likes, as often. */
static unsigned distance_within(const char *a, const char *b, size_t limit) {
    size_t a_chars = strnlen(a, COMPARED_CHARS), b_chars = strnlen(b, COMPARED_CHARS);
    size_t least_edits = a_chars > b_chars ? a_chars - b_chars : b_chars - a_chars;
    return least_edits > limit ? UINT32_MAX : distance(a, b);
}

/* How far a served method is from what was asked for; 0 is nearest, UINT_MAX not alike. */
static unsigned score(const struct herald_method_schema *method, const char *name) {
    const char *tail = last_part(name);
    if (strcasecmp(tail, method->name) == 0) {
        return 0;
    }
    if (strlen(name) >= 3 && strcasestr(method->full_name, name)) {
        return 1;
    }
    size_t whole_limit = strnlen(name, COMPARED_CHARS) / ALIKE_PART / 2;
    unsigned whole = distance_within(name, method->full_name, whole_limit);
    if (whole <= whole_limit) {
        return 2 + whole;
    }
    size_t part_limit = strnlen(tail, COMPARED_CHARS) / ALIKE_PART;
    unsigned part = distance_within(tail, method->name, part_limit);
    return part <= part_limit ? 2 + part : UINT32_MAX;
}

struct candidate {
    const char *name;
    unsigned score;
};

/* Keeps the best ones, nearest first. */
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
