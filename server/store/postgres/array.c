/* Array parameters in Postgres's text form: {"a","b",NULL}. */
#include "server/store/postgres/array.h"

#include "client/base/ascii.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIRST_ROOM 256

struct db_array db_array_begin(struct arena *arena) {
    return (struct db_array){.arena = arena};
}

/* Makes room for @bytes more. A grown text leaves the old one to the arena. */
static char *more_room(struct db_array *array, size_t bytes) {
    if (array->is_full) {
        return NULL;
    }
    if (array->bytes + bytes > array->room) {
        size_t room = array->room == 0 ? FIRST_ROOM : array->room;
        while (room < array->bytes + bytes) {
            room *= 2;
        }
        char *grown = arena_alloc(array->arena, room);
        if (!grown) {
            array->is_full = true;
            return NULL;
        }
        memcpy(grown, array->text ? array->text : "", array->bytes);
        array->text = grown;
        array->room = room;
    }
    char *at = array->text + array->bytes;
    array->bytes += bytes;
    return at;
}

static void append_raw(struct db_array *array, const char *text, size_t bytes) {
    char *at = more_room(array, bytes);
    if (at) {
        memcpy(at, text, bytes);
    }
}

/* Adds an element as it stands, with what is between elements. */
static void append_element(struct db_array *array, const char *text) {
    append_raw(array, array->bytes == 0 ? "{" : ",", 1);
    append_raw(array, text, strlen(text));
}

void db_array_add_null(struct db_array *array) {
    append_element(array, "NULL");
}

void db_array_add_text(struct db_array *array, const char *text) {
    if (!text) {
        db_array_add_null(array);
        return;
    }
    append_element(array, "\"");
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            append_raw(array, "\\", 1);
        }
        append_raw(array, at, 1);
    }
    append_raw(array, "\"", 1);
}

void db_array_add_bigint(struct db_array *array, int64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    append_element(array, text);
}

void db_array_add_bool(struct db_array *array, bool value) {
    append_element(array, value ? "t" : "f");
}

void db_array_add_bytes(struct db_array *array, const uint8_t *data, size_t bytes) {
    if (!data) {
        db_array_add_null(array);
        return;
    }
    append_element(array, "\"\\\\x");
    char *at = more_room(array, 2 * bytes + 1);
    if (at) {
        herald_write_hex(data, bytes, at);
        at[2 * bytes] = '"';
    }
}

bool db_put_array(struct db_batch *batch, struct db_array *array) {
    if (array->bytes == 0) {
        append_raw(array, "{", 1);
    }
    append_raw(array, "}", 2); /* with its NUL */
    db_put_text(batch, array->is_full ? NULL : array->text);
    return !array->is_full;
}
