#include "server/auth/callers.h"

#include "client/base/ascii.h"
#include "herald/schema.h"
#include "server/runtime/hash.h"
#include "server/settings/ini_file.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The set owns its callers. A key entry is both in the set's hash by id and in its caller's list. */
struct text_list {
    char **items;
    size_t count;
};

struct key_entry {
    char id[CALLER_TEXT_BYTES];
    struct caller_key key;
    struct key_entry *next; /* of the same caller, in the file's order */
    UT_hash_handle hh;
};

struct caller {
    char name[CALLER_NAME_BYTES];
    int line;
    struct text_list methods;
    bool for_anybody;
    int act_for_line; /* 0: not said */
    enum caller_class class;
    int class_line; /* 0: not said */
    struct text_list users;
    struct key_entry *keys;
    UT_hash_handle hh;
};

struct callers {
    atomic_uint shares;
    struct caller *by_name;
    struct key_entry *by_key;
};

struct reading {
    const char *path;
    struct callers *callers;
    struct caller *caller; /* of the present section; NULL: the section was refused */
    bool any_section;
    bool no_memory;
    unsigned problem_count;
    struct herald_error found;
};

/* ---- names ---- */

bool caller_is_token(const char *text, size_t max_chars) {
    size_t length = strlen(text);
    return length > 0 && length <= max_chars && herald_is_graphic(text, length);
}

/* True for a valid name of a caller or key: an INI key and a list must be able to hold it. */
static bool is_caller_name(const char *text, size_t max_chars) {
    static const char ALLOWED[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return caller_is_token(text, max_chars) && text[strspn(text, ALLOWED)] == '\0';
}

bool caller_pattern_matches(const char *pattern, const char *method) {
    size_t length = strlen(pattern);
    if (strcmp(pattern, "*") == 0) {
        return true;
    }
    if (length > 2 && strcmp(pattern + length - 2, "/*") == 0) {
        return strncmp(pattern, method, length - 1) == 0;
    }
    return strcmp(pattern, method) == 0;
}

/* True when some method of this build's schemas matches. A pattern that matches none is a typing error. */
static bool pattern_is_known(const char *pattern) {
    char service[256];
    size_t length = strlen(pattern);
    if (strcmp(pattern, "*") == 0) {
        return true;
    }
    if (length <= 2 || length >= sizeof(service) || strcmp(pattern + length - 2, "/*") != 0) {
        return herald_schema_find_method(pattern) != NULL;
    }
    memcpy(service, pattern, length - 2);
    service[length - 2] = '\0';
    return herald_schema_find_service(service) != NULL;
}

/* ---- problems ---- */

static void callers_problem(struct reading *reading, int line, enum herald_reason reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void callers_problem(struct reading *reading, int line, enum herald_reason reason, const char *format, ...) {
    enum { SHOWN_BYTES = 64 };
    char text[128], field[96] = "";
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t length = strlen(reading->path);
    if (reading->caller) {
        (void)snprintf(field, sizeof(field), "caller %s", reading->caller->name);
    }
    herald_error_add_detail(&reading->found, field, reason, "%s:%d: %s",
                            reading->path + (length > SHOWN_BYTES ? length - SHOWN_BYTES : 0), line, text);
    reading->problem_count++;
}

/* A name as messages show it. A key that was written in place of a name must not reach a log. A long text without a
 * dot may be one: a key has at least 43 characters, and base64 has no dots. */
static const char *shown(const char *name) {
    enum { SHORTER_THAN_A_KEY = 40 };
    return strlen(name) < SHORTER_THAN_A_KEY || strchr(name, '.') ? name : "(not shown)";
}

/* ---- values ---- */

static void list_add(struct reading *reading, struct text_list *list, const char *text, size_t length) {
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    char *copy = items ? strndup(text, length) : NULL;
    if (items) {
        list->items = items;
    }
    if (copy) {
        list->items[list->count++] = copy;
    } else {
        reading->no_memory = true;
    }
}

static void list_clear(struct text_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
}

/* Adds the items of a comma-separated list, without the blanks around them. False: an item is empty. */
static bool list_read(struct reading *reading, struct text_list *list, const char *text) {
    for (;;) {
        text += strspn(text, " \t");
        size_t length = strcspn(text, ",");
        size_t used = length;
        while (used > 0 && (text[used - 1] == ' ' || text[used - 1] == '\t')) {
            used--;
        }
        if (used == 0) {
            return false;
        }
        list_add(reading, list, text, used);
        if (text[length] == '\0') {
            return true;
        }
        text += length + 1;
    }
}

static void read_methods(struct reading *reading, int line, const char *value) {
    struct text_list *methods = &reading->caller->methods;
    size_t before = methods->count;
    if (!list_read(reading, methods, value)) {
        callers_problem(reading, line, HERALD_REASON_BAD_VALUE,
                        "methods: write pkg.Service/Method, pkg.Service/* or *, with commas between them");
    }
    for (size_t i = before; i < methods->count; i++) {
        if (!pattern_is_known(methods->items[i])) {
            callers_problem(reading, line, HERALD_REASON_UNKNOWN_METHOD, "methods: no method is called %.60s",
                            shown(methods->items[i]));
        }
    }
}

static void read_act_for(struct reading *reading, int line, const char *value) {
    struct caller *caller = reading->caller;
    if (caller->act_for_line) {
        callers_problem(reading, line, HERALD_REASON_DUPLICATE_KEY, "act_for was set before, in line %d",
                        caller->act_for_line);
        return;
    }
    caller->act_for_line = line;
    caller->for_anybody = strcmp(value, "any") == 0;
    if (caller->for_anybody || strcmp(value, "none") == 0) {
        return;
    }
    bool good = list_read(reading, &caller->users, value);
    for (size_t i = 0; i < caller->users.count; i++) {
        good = good && caller_is_token(caller->users.items[i], CALLER_TEXT_BYTES - 1);
    }
    if (!good) {
        callers_problem(reading, line, HERALD_REASON_BAD_VALUE,
                        "act_for: write none, any, or users with commas between them");
    }
}

static void read_class(struct reading *reading, int line, const char *value) {
    static const struct {
        const char *name;
        enum caller_class class;
    } CLASSES[] = {
        {"client", CALLER_CLASS_CLIENT}, {"operator", CALLER_CLASS_OPERATOR}, {"server", CALLER_CLASS_SERVER}};
    struct caller *caller = reading->caller;
    if (caller->class_line) {
        callers_problem(reading, line, HERALD_REASON_DUPLICATE_KEY, "class was set before, in line %d",
                        caller->class_line);
        return;
    }
    caller->class_line = line;
    for (size_t i = 0; i < sizeof(CLASSES) / sizeof(*CLASSES); i++) {
        if (strcmp(value, CLASSES[i].name) == 0) {
            caller->class = CLASSES[i].class;
            return;
        }
    }
    callers_problem(reading, line, HERALD_REASON_BAD_VALUE, "class: write client, operator or server");
}

static void add_key(struct reading *reading, const char *id, const struct auth_key *key) {
    struct key_entry *entry = calloc(1, sizeof(*entry));
    if (!entry) {
        reading->no_memory = true;
        return;
    }
    (void)snprintf(entry->id, sizeof(entry->id), "%s", id);
    entry->key = (struct caller_key){.caller = reading->caller, .key = *key};
    HASH_ADD_STR(reading->callers->by_key, id, entry);
    if (!HASH_HAS_ADDED(hh, entry)) {
        auth_key_wipe(&entry->key.key);
        free(entry);
        reading->no_memory = true;
        return;
    }
    struct key_entry **end = &reading->caller->keys;
    while (*end) {
        end = &(*end)->next;
    }
    *end = entry;
}

static void read_key(struct reading *reading, int line, const char *id, const char *value) {
    const struct caller_key *other = callers_find_key(reading->callers, id);
    struct auth_key key;
    if (!is_caller_name(id, CALLER_TEXT_BYTES - 1)) {
        callers_problem(reading, line, HERALD_REASON_BAD_KEY_ID,
                        "a key's id has 1 to 64 of the characters a-z A-Z 0-9 . _ -");
        return;
    }
    if (other) {
        callers_problem(reading, line, HERALD_REASON_DUPLICATE_KEY, "key.%s is a key of caller %s already", shown(id),
                        other->caller->name);
        return;
    }
    const char *wrong = auth_key_read(value, strlen(value), &key);
    if (wrong) {
        callers_problem(reading, line, HERALD_REASON_BAD_KEY, "key.%s %s", shown(id), wrong);
    } else {
        add_key(reading, id, &key);
    }
    auth_key_wipe(&key);
}

/* ---- the file ---- */

static struct caller *add_caller(struct reading *reading, int line, const char *name) {
    struct caller *caller = calloc(1, sizeof(*caller));
    if (!caller) {
        reading->no_memory = true;
        return NULL;
    }
    (void)snprintf(caller->name, sizeof(caller->name), "%s", name);
    caller->line = line;
    caller->class = CALLER_CLASS_CLIENT;
    HASH_ADD_STR(reading->callers->by_name, name, caller);
    if (!HASH_HAS_ADDED(hh, caller)) {
        free(caller);
        reading->no_memory = true;
        return NULL;
    }
    return caller;
}

static void on_callers_section(void *user, int line, const char *section) {
    struct reading *reading = user;
    static const char PREFIX[] = "caller ";
    const char *name = section + sizeof(PREFIX) - 1;
    reading->caller = NULL;
    reading->any_section = true;
    if (strncmp(section, PREFIX, sizeof(PREFIX) - 1) != 0 || !is_caller_name(name, CALLER_NAME_BYTES - 1)) {
        callers_problem(reading, line, HERALD_REASON_BAD_SECTION,
                        "write [caller NAME], the name of 1 to 40 of the characters a-z A-Z 0-9 . _ -");
        return;
    }
    const struct caller *other = callers_find(reading->callers, name);
    if (other) {
        callers_problem(reading, line, HERALD_REASON_DUPLICATE_CALLER, "caller %s was there before, in line %d", name,
                        other->line);
    } else {
        reading->caller = add_caller(reading, line, name);
    }
}

static void on_callers_key(void *user, int line, const char *section, const char *key, const char *value) {
    struct reading *reading = user;
    (void)section;
    if (!reading->any_section) {
        callers_problem(reading, line, HERALD_REASON_NO_SECTION, "\"%.40s\" stands before any [caller NAME]",
                        shown(key));
    }
    if (!reading->caller) {
        return; /* its section was reported */
    }
    if (strncmp(key, "key.", 4) == 0) {
        read_key(reading, line, key + 4, value);
    } else if (strcmp(key, "methods") == 0) {
        read_methods(reading, line, value);
    } else if (strcmp(key, "act_for") == 0) {
        read_act_for(reading, line, value);
    } else if (strcmp(key, "class") == 0) {
        read_class(reading, line, value);
    } else {
        callers_problem(reading, line, HERALD_REASON_UNKNOWN_KEY,
                        "\"%.40s\" is unknown; key.ID, methods, act_for and class are known", shown(key));
    }
}

static void on_callers_problem(void *user, int line, enum herald_reason reason, const char *text) {
    struct reading *reading = user;
    callers_problem(reading, line, reason, "%s%s", text,
                    reason == HERALD_REASON_LINE_TOO_LONG ? "; methods may be given several times" : "");
}

static void check_callers(struct reading *reading) {
    for (struct caller *caller = reading->callers->by_name; caller; caller = caller->hh.next) {
        reading->caller = caller;
        if (!caller->keys) {
            callers_problem(reading, caller->line, HERALD_REASON_NO_KEY, "the caller has no key.ID = BASE64");
        }
        if (!caller->methods.count) {
            callers_problem(reading, caller->line, HERALD_REASON_NO_METHODS, "the caller has no methods = …");
        }
    }
}

static void read_callers_file(struct reading *reading, FILE *file) {
    char buffer[4096];
    const struct ini_handler handler = {
        .user = reading, .on_section = on_callers_section, .on_key = on_callers_key, .on_problem = on_callers_problem};
    (void)setvbuf(file, buffer, _IOFBF, sizeof(buffer));
    if (!ini_file_read(file, &handler)) {
        callers_problem(reading, 0, HERALD_REASON_UNREADABLE, "cannot be read: %s", strerror(errno));
    }
    (void)fclose(file);
    OPENSSL_cleanse(buffer, sizeof(buffer)); /* it held keys */
    if (reading->problem_count == 0) {
        check_callers(reading);
    }
}

static enum herald_code callers_result(const struct reading *reading, struct herald_error *reterr) {
    if (reading->no_memory) {
        return herald_error_no_memory(reterr, "the callers of %s", reading->path);
    }
    if (reading->problem_count == 0) {
        return HERALD_OK;
    }
    const struct herald_error *found = &reading->found;
    herald_error_set(reterr, HERALD_REASON_BAD_CALLERS, "%u problem%s in the callers file; the first: %s",
                     reading->problem_count, reading->problem_count == 1 ? "" : "s", found->details[0].message);
    herald_error_add_details(reterr, found);
    return HERALD_INVALID_ARGUMENT;
}

enum herald_code callers_load(const char *path, struct callers **ret_callers, struct herald_error *reterr) {
    FILE *file = NULL;
    enum herald_code code = auth_secret_open(path, &file, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct reading reading = {.path = path, .callers = calloc(1, sizeof(*reading.callers))};
    if (reading.callers) {
        atomic_init(&reading.callers->shares, 1);
        read_callers_file(&reading, file);
    } else {
        (void)fclose(file);
        reading.no_memory = true;
    }
    code = callers_result(&reading, reterr);
    if (code == HERALD_OK) {
        *ret_callers = reading.callers;
    } else {
        callers_unref(reading.callers);
    }
    return code;
}

/* ---- life ---- */

struct callers *callers_ref(struct callers *callers) {
    atomic_fetch_add(&callers->shares, 1);
    return callers;
}

static void caller_free(struct caller *caller) {
    list_clear(&caller->methods);
    list_clear(&caller->users);
    free(caller);
}

void callers_unref(struct callers *callers) {
    if (!callers || atomic_fetch_sub(&callers->shares, 1) != 1) {
        return;
    }
    struct key_entry *first_key = callers->by_key;
    struct caller *first_caller = callers->by_name;
    HASH_CLEAR(hh, callers->by_key);
    HASH_CLEAR(hh, callers->by_name);
    for (struct key_entry *key = first_key, *next; key; key = next) {
        next = key->hh.next;
        auth_key_wipe(&key->key.key);
        free(key);
    }
    for (struct caller *caller = first_caller, *next; caller; caller = next) {
        next = caller->hh.next;
        caller_free(caller);
    }
    free(callers);
}

/* ---- questions ---- */

const struct caller_key *callers_find_key(const struct callers *callers, const char *key_id) {
    struct key_entry *entry;
    HASH_FIND_STR(callers->by_key, key_id, entry);
    return entry ? &entry->key : NULL;
}

const struct caller *callers_find(const struct callers *callers, const char *name) {
    struct caller *caller;
    HASH_FIND_STR(callers->by_name, name, caller);
    return caller;
}

const struct caller_key *caller_first_key(const struct caller *caller, const char **ret_key_id) {
    *ret_key_id = caller->keys->id;
    return &caller->keys->key;
}

size_t callers_count(const struct callers *callers) {
    return HASH_COUNT(callers->by_name);
}

const char *caller_name(const struct caller *caller) {
    return caller->name;
}

enum caller_class caller_class_of(const struct caller *caller) {
    return caller->class;
}

bool caller_may_call(const struct caller *caller, const char *method) {
    for (size_t i = 0; i < caller->methods.count; i++) {
        if (caller_pattern_matches(caller->methods.items[i], method)) {
            return true;
        }
    }
    return false;
}

bool caller_may_act_for(const struct caller *caller, const char *user) {
    for (size_t i = 0; i < caller->users.count; i++) {
        if (strcmp(caller->users.items[i], user) == 0) {
            return true;
        }
    }
    return caller->for_anybody;
}
