#include "gen/plugin/json.h"

#include <inttypes.h>

static void put_json_string(struct text *out, const char *string) {
    text_add(out, "\"");
    for (const char *c = string; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            text_addf(out, "\\%c", *c);
        } else if (*c == '\n') {
            text_add(out, "\\n");
        } else if ((unsigned char)*c < 0x20) {
            text_addf(out, "\\u%04x", (unsigned)(unsigned char)*c);
        } else {
            text_add_bytes(out, c, 1);
        }
    }
    text_add(out, "\"");
}

/* Begins a line with the key. */
static void put_key(struct json *json, const char *key) {
    text_addf(json->out, "%s\n%*s", json->follows ? "," : "", (int)json->depth * 2, "");
    json->follows = true;
    if (key != NULL) {
        put_json_string(json->out, key);
        text_add(json->out, ": ");
    }
}

static void put_begin(struct json *json, const char *key, const char *bracket) {
    put_key(json, key);
    text_add(json->out, bracket);
    json->depth++;
    json->follows = false;
}

/* Ends on the line of the beginning if nothing stands between. */
static void put_end(struct json *json, const char *bracket) {
    json->depth--;
    if (json->follows) {
        text_addf(json->out, "\n%*s", (int)json->depth * 2, "");
    }
    text_add(json->out, bracket);
    json->follows = true;
}

void json_begin_object(struct json *json, const char *key) {
    put_begin(json, key, "{");
}

void json_end_object(struct json *json) {
    put_end(json, "}");
}

void json_begin_array(struct json *json, const char *key) {
    put_begin(json, key, "[");
}

void json_end_array(struct json *json) {
    put_end(json, "]");
}

void json_string(struct json *json, const char *key, const char *value) {
    put_key(json, key);
    put_json_string(json->out, value);
}

void json_format(struct json *json, const char *key, const char *format, ...) {
    struct pool pool = {0};
    va_list args;
    va_start(args, format);
    json_string(json, key, pool_vprintf(&pool, format, args));
    va_end(args);
    pool_fini(&pool);
}

void json_integer(struct json *json, const char *key, int64_t value) {
    put_key(json, key);
    text_addf(json->out, "%" PRId64, value);
}

void json_unsigned(struct json *json, const char *key, uint64_t value) {
    put_key(json, key);
    text_addf(json->out, "%" PRIu64, value);
}

void json_number(struct json *json, const char *key, const char *value) {
    put_key(json, key);
    text_add(json->out, value);
}

void json_bool(struct json *json, const char *key, bool value) {
    put_key(json, key);
    text_add(json->out, value ? "true" : "false");
}

void json_null(struct json *json, const char *key) {
    put_key(json, key);
    text_add(json->out, "null");
}
