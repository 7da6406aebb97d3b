/*
 * An index of all schema elements by full name: an open-addressed hash table, built once at the first look-up and kept
 * for the program's life. Without memory for the index, look-ups search the tables, which is slower.
 */
#include "herald/schema.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum element_kind { ELEMENT_NONE, ELEMENT_METHOD, ELEMENT_MESSAGE, ELEMENT_ENUM, ELEMENT_SERVICE };

struct element {
    enum element_kind kind;
    uint32_t hash;
    const char *full_name;
    const void *schema;
};

static struct element *element_slots;
static size_t element_slot_mask;
static pthread_once_t element_index_once = PTHREAD_ONCE_INIT;

/* Takes one element of a walk; true ends the walk. */
typedef bool element_fn(const struct element *element, void *user);

static bool visit(element_fn *take, void *user, enum element_kind kind, const char *full_name, const void *schema) {
    struct element element = {.kind = kind, .full_name = full_name, .schema = schema};
    return take(&element, user);
}

static bool walk_service(const struct herald_service_schema *service, element_fn *take, void *user) {
    if (visit(take, user, ELEMENT_SERVICE, service->full_name, service)) {
        return true;
    }
    for (size_t i = 0; i < service->method_count; i++) {
        const struct herald_method_schema *method = &service->methods[i];
        if (visit(take, user, ELEMENT_METHOD, method->full_name, method)) {
            return true;
        }
    }
    return false;
}

static bool walk_file(const struct herald_file_schema *file, element_fn *take, void *user) {
    for (size_t i = 0; i < file->message_count; i++) {
        if (visit(take, user, ELEMENT_MESSAGE, file->messages[i]->full_name, file->messages[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < file->enum_count; i++) {
        if (visit(take, user, ELEMENT_ENUM, file->enums[i]->full_name, file->enums[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < file->service_count; i++) {
        if (walk_service(file->services[i], take, user)) {
            return true;
        }
    }
    return false;
}

static bool walk_all(element_fn *take, void *user) {
    for (size_t i = 0; i < herald_schema_count; i++) {
        if (walk_file(herald_schemas[i], take, user)) {
            return true;
        }
    }
    return false;
}

/* FNV-1a. */
static uint32_t hash_name(enum element_kind kind, const char *name) {
    uint32_t hash = 2166136261u ^ (uint32_t)kind;
    for (const char *at = name; *at; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    }
    return hash;
}

static bool count_element(const struct element *element, void *user) {
    (void)element;
    size_t *count = user;
    (*count)++;
    return false;
}

static bool insert_element(const struct element *element, void *user) {
    struct element *slots = user;
    uint32_t hash = hash_name(element->kind, element->full_name);
    size_t slot = hash & element_slot_mask;
    while (slots[slot].kind != ELEMENT_NONE) {
        slot = (slot + 1) & element_slot_mask;
    }
    slots[slot] = *element;
    slots[slot].hash = hash;
    return false;
}

static void build_index(void) {
    size_t count = 0;
    walk_all(count_element, &count);
    size_t slot_count = 64;
    while (slot_count < 2 * count) {
        slot_count *= 2;
    }
    struct element *slots = calloc(slot_count, sizeof(*slots));
    if (!slots) {
        return;
    }
    element_slot_mask = slot_count - 1;
    walk_all(insert_element, slots);
    element_slots = slots;
}

static bool match_element(const struct element *element, void *user) {
    struct element *wanted = user;
    if (element->kind != wanted->kind || strcmp(element->full_name, wanted->full_name) != 0) {
        return false;
    }
    wanted->schema = element->schema;
    return true;
}

static const void *find_element(enum element_kind kind, const char *full_name) {
    pthread_once(&element_index_once, build_index);
    if (!element_slots) {
        struct element wanted = {.kind = kind, .full_name = full_name};
        walk_all(match_element, &wanted);
        return wanted.schema;
    }
    uint32_t hash = hash_name(kind, full_name);
    for (size_t slot = hash & element_slot_mask; element_slots[slot].kind != ELEMENT_NONE;
         slot = (slot + 1) & element_slot_mask) {
        const struct element *element = &element_slots[slot];
        if (element->hash == hash && element->kind == kind && strcmp(element->full_name, full_name) == 0) {
            return element->schema;
        }
    }
    return NULL;
}

const struct herald_method_schema *herald_schema_find_method(const char *full_name) {
    return find_element(ELEMENT_METHOD, full_name);
}

const struct herald_message_schema *herald_schema_find_message(const char *full_name) {
    return find_element(ELEMENT_MESSAGE, full_name);
}

const struct herald_enum_schema *herald_schema_find_enum(const char *full_name) {
    return find_element(ELEMENT_ENUM, full_name);
}

const struct herald_service_schema *herald_schema_find_service(const char *full_name) {
    return find_element(ELEMENT_SERVICE, full_name);
}
