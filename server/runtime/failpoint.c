/*
 * The state of a point is one atomic word, so that a hit reads a whole action and counts it down without a lock: the
 * kind in bits 0..7, the percentage in 8..15, the remaining hits in 16..39 (0: no limit), the argument in 40..63.
 */
#include "server/runtime/failpoint.h"

#if HERALD_FAILPOINTS

#include "client/base/edit_distance.h"
#include "client/base/random.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_MAX_MS 600000
#define TIMES_MAX    0xffffff
#define NAME_BYTES   64
#define ORIGIN       "HERALD_FAILPOINT: " /* what messages about the variable begin with */
/* Names that differ in so many letters are not taken for each other. */
#define SIMILAR_DISTANCE 4

struct action {
    unsigned kind; /* FAILPOINT_ERROR, …; 0: off */
    unsigned percent;
    unsigned times; /* 0: no limit */
    unsigned argument;
};

static struct failpoint *const *const *used_tables;

static uint64_t pack_action(const struct action *action) {
    return action->kind | (uint64_t)action->percent << 8 | (uint64_t)action->times << 16 |
           (uint64_t)action->argument << 40;
}

static struct action unpack_action(uint64_t word) {
    return (struct action){(unsigned)(word & 0xff), (unsigned)(word >> 8 & 0xff), (unsigned)(word >> 16 & TIMES_MAX),
                           (unsigned)(word >> 40)};
}

/* ---- text ---- */

/* The argument in "error(ABORTED)"; NULL if @text does not begin with @name and a parenthesis. */
static const char *argument_of(const char *text, const char *name) {
    size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && text[length] == '(' ? text + length + 1 : NULL;
}

static bool read_code(const char *text, unsigned *ret_code) {
    for (unsigned code = HERALD_CANCELLED; code <= HERALD_OUTCOME_UNKNOWN; code++) {
        const char *name = herald_code_name((int)code);
        if (strncmp(text, name, strlen(name)) != 0 || strcmp(text + strlen(name), ")") != 0) {
            continue;
        }
        *ret_code = code;
        return true;
    }
    return false;
}

/* Reads a number up to @most, followed by @end. Returns the text after @end; NULL if the text does not have this
 * form. */
static const char *read_action_number(const char *text, unsigned long most, char end, unsigned *ret_number) {
    char *stop = NULL;
    if (!isdigit((unsigned char)*text)) {
        return NULL;
    }
    unsigned long number = strtoul(text, &stop, 10);
    if (*stop != end || number > most) {
        return NULL;
    }
    *ret_number = (unsigned)number;
    return stop + 1;
}

static bool read_kind(const char *text, struct action *action) {
    const char *argument;
    if ((argument = argument_of(text, "error")) != NULL) {
        action->kind = FAILPOINT_ERROR;
        return read_code(argument, &action->argument);
    }
    if ((argument = argument_of(text, "delay")) != NULL) {
        action->kind = FAILPOINT_DELAY;
        const char *rest = read_action_number(argument, DELAY_MAX_MS, ')', &action->argument);
        return rest != NULL && *rest == '\0';
    }
    action->kind = strcmp(text, "drop") == 0 ? FAILPOINT_DROP : strcmp(text, "kill") == 0 ? FAILPOINT_KILL : 0;
    return action->kind != 0;
}

static bool read_action(const char *text, struct action *ret_action) {
    struct action action = {.percent = 100};
    const char *rest;
    if (strcmp(text, "off") == 0) {
        *ret_action = (struct action){0};
        return true;
    }
    if ((rest = read_action_number(text, TIMES_MAX, '*', &action.times)) != NULL) {
        text = rest;
        if (action.times == 0) {
            return false;
        }
    }
    if ((rest = read_action_number(text, 100, '%', &action.percent)) != NULL) {
        text = rest;
    }
    if (action.percent == 0 || !read_kind(text, &action)) {
        return false;
    }
    *ret_action = action;
    return true;
}

static void write_action(uint64_t word, char ret_text[FAILPOINT_ACTION_BYTES]) {
    struct action action = unpack_action(word);
    char times[16] = "", percent[8] = "";
    if (action.times != 0) {
        snprintf(times, sizeof(times), "%u*", action.times);
    }
    if (action.percent != 100) {
        snprintf(percent, sizeof(percent), "%u%%", action.percent);
    }
    if (action.kind == FAILPOINT_ERROR) {
        snprintf(ret_text, FAILPOINT_ACTION_BYTES, "%s%serror(%s)", times, percent,
                 herald_code_name((int)action.argument));
    } else if (action.kind == FAILPOINT_DELAY) {
        snprintf(ret_text, FAILPOINT_ACTION_BYTES, "%s%sdelay(%u)", times, percent, action.argument);
    } else if (action.kind == 0) {
        snprintf(ret_text, FAILPOINT_ACTION_BYTES, "off");
    } else {
        snprintf(ret_text, FAILPOINT_ACTION_BYTES, "%s%s%s", times, percent,
                 action.kind == FAILPOINT_DROP ? "drop" : "kill");
    }
}

/* ---- hits ---- */

static bool lucky(unsigned percent) {
    return percent >= 100 || herald_random() % 100 < percent;
}

/* Takes one hit and returns its action; kind 0: none. */
static struct action take_hit(struct failpoint *point) {
    uint64_t word = atomic_load(&point->state);
    for (;;) {
        struct action action = unpack_action(word);
        if (action.kind == 0 || !lucky(action.percent)) {
            return (struct action){0};
        }
        if (action.times == 0) {
            return action;
        }
        struct action left = action;
        left.times--;
        if (atomic_compare_exchange_weak(&point->state, &word, left.times == 0 ? 0 : pack_action(&left))) {
            return action;
        }
    }
}

static void kill_process(void) {
    (void)raise(SIGKILL);
}

enum herald_code failpoint_act(struct failpoint *point, struct herald_error *reterr) {
    struct action action = take_hit(point);
    switch (action.kind) {
    case FAILPOINT_ERROR:
        return herald_error_set_code(reterr, (enum herald_code)action.argument,
                                     herald_reason_name(HERALD_REASON_FAILPOINT),
                                     "failpoint %s was told to return this", point->name);
    case FAILPOINT_DELAY:
        return task_sleep(action.argument, reterr);
    case FAILPOINT_KILL:
        kill_process();
        return HERALD_OK;
    default:
        return HERALD_OK;
    }
}

bool failpoint_act_drop(struct failpoint *point) {
    struct action action = take_hit(point);
    if (action.kind == FAILPOINT_KILL) {
        kill_process();
    }
    return action.kind == FAILPOINT_DROP;
}

/* ---- setting ---- */

void failpoint_use(struct failpoint *const *const *tables) {
    used_tables = tables;
}

/* The point at @index, counted over all tables; NULL behind the last one. */
static struct failpoint *point_at(unsigned index) {
    for (struct failpoint *const *const *table = used_tables; table != NULL && *table != NULL; table++) {
        for (struct failpoint *const *point = *table; *point != NULL; point++) {
            if (index-- == 0) {
                return *point;
            }
        }
    }
    return NULL;
}

static struct failpoint *find_point(const char *name) {
    unsigned i = 0;
    struct failpoint *point;
    while ((point = point_at(i)) != NULL && strcmp(point->name, name) != 0) {
        i++;
    }
    return point;
}

unsigned failpoint_count(void) {
    unsigned count = 0;
    while (point_at(count) != NULL) {
        count++;
    }
    return count;
}

void failpoint_describe(unsigned index, const char **ret_name, const char **ret_about,
                        char ret_action[FAILPOINT_ACTION_BYTES]) {
    const struct failpoint *point = point_at(index);
    *ret_name = point->name;
    *ret_about = point->about;
    write_action(atomic_load(&point->state), ret_action);
}

/* The point whose name is most similar; NULL: none is. */
static const struct failpoint *similar_point(const char *name) {
    const struct failpoint *best = NULL, *point;
    unsigned best_distance = SIMILAR_DISTANCE;
    for (unsigned i = 0; (point = point_at(i)) != NULL; i++) {
        unsigned distance = herald_edit_distance(name, point->name);
        if (distance < best_distance) {
            best = point;
            best_distance = distance;
        }
    }
    return best;
}

/* @origin  what messages begin with: "HERALD_FAILPOINT: ", or nothing. The same of the functions below. */
static enum herald_code unknown_failpoint(const char *origin, const char *name, struct herald_error *reterr) {
    char names[320] = "";
    const struct failpoint *point, *similar = similar_point(name);
    for (unsigned i = 0; (point = point_at(i)) != NULL; i++) {
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i > 0 ? ", " : "", point->name);
    }
    return herald_error_set(reterr, HERALD_REASON_UNKNOWN_FAILPOINT,
                            "%sthere is no failpoint \"%.64s\"%s%s%s; there are %s", origin, name,
                            similar ? ": did you mean " : "", similar ? similar->name : "", similar ? "?" : "", names);
}

static enum herald_code read_point(const char *origin, const char *name, const char *action,
                                   struct failpoint **ret_point, struct action *ret_wanted,
                                   struct herald_error *reterr) {
    struct failpoint *point = find_point(name);
    if (point == NULL) {
        return unknown_failpoint(origin, name, reterr);
    }
    if (!read_action(action, ret_wanted)) {
        return herald_error_set(
            reterr, HERALD_REASON_NO_ACTION,
            "%s\"%.64s\" is no action of failpoint %s; actions are off, error(CODE), delay(MS) up to "
            "%d, drop and kill, with N* or P%% before them",
            origin, action, name, DELAY_MAX_MS);
    }
    if (ret_wanted->kind != 0 && (point->allowed & ret_wanted->kind) == 0) {
        return herald_error_set(reterr, HERALD_REASON_ACTION_NOT_HERE,
                                "%sfailpoint %s does not take \"%.64s\"; it takes off, %s and kill", origin, name,
                                action, point->allowed == FAILPOINT_OF_REPLY ? "drop" : "error(CODE), delay(MS)");
    }
    *ret_point = point;
    return HERALD_OK;
}

enum herald_code failpoint_set(const char *name, const char *action, char ret_previous[FAILPOINT_ACTION_BYTES],
                               struct herald_error *reterr) {
    struct action wanted = {0};
    struct failpoint *point = NULL;
    enum herald_code code = read_point("", name, action, &point, &wanted, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    uint64_t previous = atomic_exchange(&point->state, pack_action(&wanted));
    if (ret_previous != NULL) {
        write_action(previous, ret_previous);
    }
    return HERALD_OK;
}

/* Reads a part of the variable, "name:action". */
static enum herald_code read_setting_part(const char *part, size_t length, struct failpoint **ret_point,
                                          struct action *ret_wanted, struct herald_error *reterr) {
    char name[NAME_BYTES + FAILPOINT_ACTION_BYTES];
    if (length >= sizeof(name)) {
        return herald_error_set(reterr, HERALD_REASON_HERALD_FAILPOINT,
                                ORIGIN "\"%.64s…\" is longer than any name:action", part);
    }
    memcpy(name, part, length);
    name[length] = '\0';
    char *colon = strchr(name, ':');
    if (colon == NULL) {
        return herald_error_set(reterr, HERALD_REASON_HERALD_FAILPOINT, ORIGIN "\"%s\" is no name:action", name);
    }
    *colon = '\0';
    return read_point(ORIGIN, name, colon + 1, ret_point, ret_wanted, reterr);
}

/* The next part; NULL: no more. @at  moved behind it */
static const char *next_part(const char **at, size_t *ret_length) {
    const char *part = *at;
    if (part == NULL || *part == '\0') {
        return NULL;
    }
    *ret_length = strcspn(part, ",");
    *at = part + *ret_length + (part[*ret_length] == ',');
    return part;
}

enum herald_code failpoint_set_from_environment(struct herald_error *reterr) {
    const char *at = getenv("HERALD_FAILPOINT"), *part;
    size_t length = 0;
    while ((part = next_part(&at, &length)) != NULL) {
        struct failpoint *point = NULL;
        struct action wanted = {0};
        enum herald_code code = read_setting_part(part, length, &point, &wanted, reterr);
        if (code != HERALD_OK) {
            return code;
        }
        atomic_store(&point->state, pack_action(&wanted));
    }
    return HERALD_OK;
}

void failpoint_check_environment(void (*tell)(void *user, enum herald_code code, const struct herald_error *problem),
                                 void *user) {
    const char *at = getenv("HERALD_FAILPOINT"), *part;
    size_t length = 0;
    while ((part = next_part(&at, &length)) != NULL) {
        struct failpoint *point = NULL;
        struct action wanted = {0};
        struct herald_error error;
        enum herald_code code = read_setting_part(part, length, &point, &wanted, &error);
        if (code != HERALD_OK) {
            tell(user, code, &error);
        }
    }
}

#else

void failpoint_use(struct failpoint *const *const *tables) {
    (void)tables;
}

unsigned failpoint_count(void) {
    return 0;
}

void failpoint_describe(unsigned index, const char **ret_name, const char **ret_about,
                        char ret_action[FAILPOINT_ACTION_BYTES]) {
    (void)index;
    *ret_name = *ret_about = "";
    ret_action[0] = '\0';
}

enum herald_code failpoint_set(const char *name, const char *action, char ret_previous[FAILPOINT_ACTION_BYTES],
                               struct herald_error *reterr) {
    (void)name;
    (void)action;
    (void)ret_previous;
    return herald_error_set(reterr, HERALD_REASON_COMPILED_OUT,
                            "this build has no fault injection; use one with -DHERALD_FAILPOINTS=ON");
}

enum herald_code failpoint_set_from_environment(struct herald_error *reterr) {
    (void)reterr;
    return HERALD_OK;
}

void failpoint_check_environment(void (*tell)(void *user, enum herald_code code, const struct herald_error *problem),
                                 void *user) {
    (void)tell;
    (void)user;
}

#endif
