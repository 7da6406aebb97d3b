/* The reader of a probe in the form of an object. It reads the members itself, one by one, to find where the request
 * is. */
#include "server/rpc/probe_object.h"

#include "client/json/text.h"
#include "client/src/credential.h"
#include "server/rpc/head.h"
#include "server/rpc/near.h"
#include "server/rpc/probe_text.h"
#include "server/runtime/call.h"

#include <stdbool.h>
#include <string.h>

#define KEY_MAX_BYTES (sizeof((struct call *)0)->idempotency_key - 1)

struct reader {
    struct arena *arena;
    struct probe_object object;
    const char *at;  /* in text that has been checked, except the request */
    const char *end; /* of the text */
    bool no_memory;
};

/* ---- values: each reads the value at reader->at into the object; false: it has the wrong type, or no_memory ---- */

static char *take_text_member(struct reader *reader) {
    if (json_peek(&reader->at) != '"') {
        return NULL;
    }
    size_t room = json_string_room(reader->at) + 1;
    char *text = arena_alloc(reader->arena, room);
    reader->no_memory = !text;
    if (text) {
        json_take_string(&reader->at, text, room);
    }
    return text;
}

static bool take_method_member(struct reader *reader) {
    reader->object.method = take_text_member(reader);
    return reader->object.method != NULL;
}

static bool take_request_member(struct reader *reader) {
    if (json_peek(&reader->at) != '{') {
        return false;
    }
    reader->object.request = reader->at;
    reader->at = json_brackets_end(reader->at, reader->end);
    reader->object.request_bytes = (size_t)(reader->at - reader->object.request);
    return true;
}

static bool take_timeout(struct reader *reader) {
    char c = json_peek(&reader->at);
    if (c != '-' && (c < '0' || c > '9')) {
        return false;
    }
    const char *start = reader->at;
    uint32_t value = 0;
    reader->at = json_number_end(start, reader->end);
    for (const char *at = start + (c == '-'); at < reader->at; at++) {
        if (*at < '0' || *at > '9') {
            return false;
        }
        if (value <= RPC_TIMEOUT_MAX_MS) {
            value = value * 10 + (uint32_t)(*at - '0');
        }
    }
    reader->object.timeout_ms = value;
    return value == 0 || (c != '-' && value <= RPC_TIMEOUT_MAX_MS);
}

static bool take_key(struct reader *reader) {
    const char *key = take_text_member(reader);
    reader->object.idempotency_key = key;
    return key && herald_credential_can_sign(key, strlen(key), KEY_MAX_BYTES);
}

/* Reads {"bearer": …}. There is no form for a signature: it covers a packed payload, which a probe does not have. */
static bool take_auth_member(struct reader *reader) {
    char name[sizeof("bearer") + 1];
    if (!json_take(&reader->at, '{') || json_peek(&reader->at) != '"') {
        return false;
    }
    json_take_string(&reader->at, name, sizeof(name));
    if (strcmp(name, "bearer") != 0 || !json_take(&reader->at, ':')) {
        return false;
    }
    reader->object.bearer = take_text_member(reader);
    return reader->object.bearer && json_take(&reader->at, '}');
}

/* ---- members ---- */

static const struct member {
    const char *name;
    bool (*take)(struct reader *reader);
    const char *wanted;
} members[] = {
    {"method", take_method_member, "text, package.Service/Method"},
    {"request", take_request_member, "an object"},
    {"timeoutMs", take_timeout, "a whole number, 0 to 600000"},
    {"idempotencyKey", take_key, "text of at most 128 characters, printable ASCII without spaces"},
    {"auth", take_auth_member, "{\"bearer\": text}"},
};

_Static_assert(RPC_TIMEOUT_MAX_MS == 600000 && KEY_MAX_BYTES == 128, "said in the table above");

static const struct member *find_member(const char *name) {
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp(members[i].name, name) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

static enum herald_code unknown_member(const char *name, struct herald_error *reterr) {
    char shown[RPC_NAME_SHOWN_MAX];
    rpc_show_name(name, shown);
    return herald_error_set(reterr, HERALD_REASON_MALFORMED_PROBE,
                            "\"%s\" is no member of a probe: \"method\", \"request\", \"timeoutMs\", "
                            "\"idempotencyKey\" and \"auth\" are",
                            shown);
}

static enum herald_code wrong_value(const struct reader *reader, const struct member *member,
                                    struct herald_error *reterr) {
    if (reader->no_memory) {
        return herald_error_no_memory(reterr, "a probe");
    }
    return herald_error_set(reterr, HERALD_REASON_MALFORMED_PROBE, "\"%s\" must be %s", member->name, member->wanted);
}

/* Reads one name and its value. @seen  bits of the members that were read before */
static enum herald_code read_probe_member(struct reader *reader, unsigned *seen, struct herald_error *reterr) {
    char name[RPC_NAME_SHOWN_MAX]; /* longer than any known name */
    json_peek(&reader->at);
    json_take_string(&reader->at, name, sizeof(name));
    json_take(&reader->at, ':');
    const struct member *member = find_member(name);
    if (!member) {
        return unknown_member(name, reterr);
    }
    unsigned bit = 1u << (member - members);
    if (*seen & bit) {
        return herald_error_set(reterr, HERALD_REASON_MALFORMED_PROBE, "\"%s\" is given twice", member->name);
    }
    *seen |= bit;
    return member->take(reader) ? HERALD_OK : wrong_value(reader, member, reterr);
}

/* @last  the request, if nothing behind it can be read; NULL: everything can */
static enum herald_code read_members(struct reader *reader, const char *last, struct herald_error *reterr) {
    unsigned seen = 0;
    json_take(&reader->at, '{');
    if (json_peek(&reader->at) == '}') {
        return HERALD_OK;
    }
    do {
        enum herald_code code = read_probe_member(reader, &seen, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    } while ((!last || reader->object.request != last) && json_take(&reader->at, ','));
    return HERALD_OK;
}

static enum herald_code no_json(const struct json_problem *problem, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_MALFORMED_PROBE, "line %zu, column %zu: %s; %s", problem->line,
                            problem->column, problem->what, PROBE_USAGE);
}

enum herald_code probe_object_read(struct arena *arena, const char *text, size_t bytes, struct probe_object *ret_object,
                                   struct herald_error *reterr) {
    struct reader reader = {
        .arena = arena, .object = {.request = "{}", .request_bytes = 2}, .at = text, .end = text + bytes};
    struct json_problem problem, inner;
    const char *request = NULL;
    bool whole = json_text_check_around(text, bytes, "request", &request, &problem);
    /* A quote or bracket that is missing in the request may make the text behind it look wrong. */
    if (!whole &&
        (!request || json_text_check(request, (size_t)(json_brackets_end(request, reader.end) - request), &inner))) {
        return no_json(&problem, reterr);
    }
    enum herald_code code = read_members(&reader, whole ? NULL : request, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (!reader.object.method && !whole) {
        json_text_check(text, bytes, &problem); /* the first one, in the request */
        return no_json(&problem, reterr);
    }
    if (!reader.object.method || !*reader.object.method) {
        return herald_error_set(reterr, HERALD_REASON_MALFORMED_PROBE, "%s; %s",
                                reader.object.method ? "\"method\" names no method, it is empty"
                                                     : "the object has no \"method\"",
                                PROBE_USAGE);
    }
    *ret_object = reader.object;
    return HERALD_OK;
}
