#ifndef HERALD_GEN_JSON_H
#define HERALD_GEN_JSON_H

/* Writes JSON, indented by two spaces, a member or an item a line. A key is NULL for items of an array. */
#include "gen/plugin/memory.h"

#include <stdbool.h>
#include <stdint.h>

struct json {
    struct text *out;
    unsigned depth;
    bool follows; /* something stands before the next member or item of the same parent */
};

void json_begin_object(struct json *json, const char *key);
void json_end_object(struct json *json);
void json_begin_array(struct json *json, const char *key);
void json_end_array(struct json *json);
void json_string(struct json *json, const char *key, const char *value);
void json_format(struct json *json, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
void json_integer(struct json *json, const char *key, int64_t value);
void json_unsigned(struct json *json, const char *key, uint64_t value);
/** @value  a number as JSON has it */
void json_number(struct json *json, const char *key, const char *value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif
