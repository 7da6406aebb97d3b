/* Checks JSON text, then walks it: text.h. The walking functions rely on the check and never look for an end. */
#include "client/json/text.h"

#include "client/base/ascii.h"
#include "herald/unpack.h"
#include "herald/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- checking --- */

struct checker {
    const char *at, *end;
    const char *problem;
    const char *around; /* name of the outermost object's member that is skipped; NULL: none */
    const char *member; /* where it begins */
};

/* Always false, so that it ends a function. */
static bool refuse_json(struct checker *checker, const char *what) {
    checker->problem = what;
    return false;
}

static void skip_space(struct checker *checker) {
    while (checker->at < checker->end && herald_is_space(*checker->at)) {
        checker->at++;
    }
}

static bool next_is(const struct checker *checker, char c) {
    return checker->at < checker->end && *checker->at == c;
}

/* Value of a hexadecimal digit, or -1. */
static int hex_value(char c) {
    if (herald_is_digit(c)) {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of the four hexadecimal digits at @at; -1 if they are none. */
static int hex_unit(const char *at) {
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        int value = hex_value(at[i]);
        if (value < 0) {
            return -1;
        }
        unit = unit << 4 | value;
    }
    return unit;
}

static bool is_high_surrogate(int unit) {
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(int unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Checks the rest of an escape "\u", from its first digit. */
static bool check_unicode(struct checker *checker) {
    int unit = checker->end - checker->at >= 4 ? hex_unit(checker->at) : -1;
    if (unit < 0) {
        return refuse_json(checker, "\\u needs four hexadecimal digits");
    }
    if (unit == 0) {
        return refuse_json(checker, "\\u0000 cannot be in a string");
    }
    if (is_low_surrogate(unit)) {
        return refuse_json(checker, "a low surrogate stands alone");
    }
    if (is_high_surrogate(unit)) {
        const char *low = checker->at + 4;
        if (checker->end - low < 6 || low[0] != '\\' || low[1] != 'u' || !is_low_surrogate(hex_unit(low + 2))) {
            return refuse_json(checker, "a high surrogate stands alone");
        }
        checker->at = low + 2;
    }
    checker->at += 4;
    return true;
}

static bool check_escape(struct checker *checker) {
    checker->at++;
    if (checker->at == checker->end) {
        return refuse_json(checker, "a string is not closed");
    }
    char letter = *checker->at;
    if (letter == '\0' || !strchr("\"\\/bfnrtu", letter)) {
        return refuse_json(checker, "there is no such escape");
    }
    checker->at++;
    return letter != 'u' || check_unicode(checker);
}

static bool check_json_string(struct checker *checker) {
    const char *start = ++checker->at;
    while (!next_is(checker, '"')) {
        if (checker->at == checker->end) {
            return refuse_json(checker, "a string is not closed");
        }
        if ((unsigned char)*checker->at < 0x20) {
            return refuse_json(checker, "a control character must be escaped");
        }
        if (*checker->at != '\\') {
            checker->at++;
        } else if (!check_escape(checker)) {
            return false;
        }
    }
    if (!herald_utf8_valid(start, (size_t)(checker->at - start), NULL)) {
        return refuse_json(checker, "the string that ends here is not valid UTF-8");
    }
    checker->at++;
    return true;
}

static bool check_json_word(struct checker *checker) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t bytes = strlen(words[i]);
        if ((size_t)(checker->end - checker->at) >= bytes && memcmp(checker->at, words[i], bytes) == 0) {
            checker->at += bytes;
            return true;
        }
    }
    return refuse_json(checker, checker->at == checker->end ? "a value is missing" : "this is no JSON value");
}

static bool check_json_value(struct checker *checker, unsigned depth);

static bool is_member_name(const char *at, const char *name) {
    char text[32];
    return json_take_string(&at, text, sizeof(text)) < sizeof(text) && strcmp(text, name) == 0;
}

/* Skips the value of the member that is not checked. */
static bool check_around(struct checker *checker, unsigned depth) {
    skip_space(checker);
    if (!next_is(checker, '{')) {
        return check_json_value(checker, depth);
    }
    if (!checker->member) {
        checker->member = checker->at;
    }
    checker->at = json_brackets_end(checker->at, checker->end);
    return true;
}

static bool check_member(struct checker *checker, unsigned depth) {
    skip_space(checker);
    const char *name = checker->at;
    if (!next_is(checker, '"')) {
        return refuse_json(checker, "a name in quotes is missing");
    }
    if (!check_json_string(checker)) {
        return false;
    }
    skip_space(checker);
    if (!next_is(checker, ':')) {
        return refuse_json(checker, "a ':' is missing behind the name");
    }
    checker->at++;
    if (depth == 1 && checker->around && is_member_name(name, checker->around)) {
        return check_around(checker, depth);
    }
    return check_json_value(checker, depth);
}

/* Checks an object or array, at its bracket. */
static bool check_list(struct checker *checker, char close, unsigned depth) {
    _Static_assert(HERALD_UNPACK_MAX_DEPTH == 32, "said in the sentence below");
    if (depth > HERALD_UNPACK_MAX_DEPTH) {
        return refuse_json(checker, "it is nested deeper than 32 levels");
    }
    checker->at++;
    skip_space(checker);
    if (next_is(checker, close)) {
        checker->at++;
        return true;
    }
    for (;;) {
        if (!(close == '}' ? check_member(checker, depth) : check_json_value(checker, depth))) {
            return false;
        }
        skip_space(checker);
        if (next_is(checker, close)) {
            checker->at++;
            return true;
        }
        if (!next_is(checker, ',')) {
            return refuse_json(checker, close == '}' ? "a ',' or '}' is missing" : "a ',' or ']' is missing");
        }
        checker->at++;
    }
}

static bool check_number(struct checker *checker) {
    const char *end = json_number_end(checker->at, checker->end);
    if (!end) {
        return refuse_json(checker, "this is no JSON number");
    }
    checker->at = end;
    return true;
}

/* @depth  how many brackets are open around the value */
static bool check_json_value(struct checker *checker, unsigned depth) {
    skip_space(checker);
    char c = checker->at < checker->end ? *checker->at : '\0';
    if (c == '{') {
        return check_list(checker, '}', depth + 1);
    }
    if (c == '[') {
        return check_list(checker, ']', depth + 1);
    }
    if (c == '"') {
        return check_json_string(checker);
    }
    return c == '-' || herald_is_digit(c) ? check_number(checker) : check_json_word(checker);
}

/* Checks the whole text, which begins at @json. */
static bool check_text(struct checker *checker, const char *json, struct json_problem *ret_problem) {
    if (check_json_value(checker, 0)) {
        skip_space(checker);
        if (checker->at == checker->end) {
            return true;
        }
        checker->problem = "something follows the value";
    }
    ret_problem->what = checker->problem;
    ret_problem->line = ret_problem->column = 1;
    for (const char *at = json; at < checker->at; at++) {
        ret_problem->line += *at == '\n';
        ret_problem->column = *at == '\n' ? 1 : ret_problem->column + 1;
    }
    return false;
}

bool json_text_check(const char *json, size_t bytes, struct json_problem *ret_problem) {
    struct checker checker = {.at = json, .end = json + bytes};
    return check_text(&checker, json, ret_problem);
}

bool json_text_check_around(const char *json, size_t bytes, const char *name, const char **ret_member,
                            struct json_problem *ret_problem) {
    struct checker checker = {.at = json, .end = json + bytes, .around = name};
    bool right = check_text(&checker, json, ret_problem);
    *ret_member = checker.member;
    return right;
}

const char *json_brackets_end(const char *at, const char *end) {
    size_t depth = 0;
    for (bool quoted = false; at < end; at++) {
        if (*at == '"') {
            quoted = !quoted;
        } else if (quoted && *at == '\\') {
            at += at + 1 < end;
        } else if (!quoted && (*at == '{' || *at == '[')) {
            depth++;
        } else if (!quoted && (*at == '}' || *at == ']') && --depth == 0) {
            return at + 1;
        }
    }
    return end;
}

static const char *digits_end(const char *at, const char *end) {
    while (at < end && herald_is_digit(*at)) {
        at++;
    }
    return at;
}

const char *json_number_end(const char *at, const char *end) {
    at += at < end && *at == '-';
    const char *whole = at;
    at = digits_end(at, end);
    if (at == whole || (*whole == '0' && at > whole + 1)) {
        return NULL;
    }
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = digits_end(at, end);
        if (at == fraction) {
            return NULL;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        const char *exponent = at;
        at = digits_end(at, end);
        if (at == exponent) {
            return NULL;
        }
    }
    return at;
}

/* --- walking --- */

char json_peek(const char **at) {
    while (herald_is_space(**at)) {
        ++*at;
    }
    return **at;
}

bool json_take(const char **at, char mark) {
    if (json_peek(at) != mark) {
        return false;
    }
    ++*at;
    return true;
}

/* Where the string at @at ends: its closing quote. */
static const char *string_end(const char *at) {
    for (at++; *at != '"'; at++) {
        at += *at == '\\';
    }
    return at;
}

size_t json_string_room(const char *at) {
    return (size_t)(string_end(at) - at) - 1; /* an escape is never shorter than the decoded character */
}

static size_t put_utf8(uint32_t c, char to[4]) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char heads[] = {0, 0xC0, 0xE0, 0xF0};
    to[0] = (char)(heads[more] | c >> (6 * more));
    for (size_t i = 1; i <= more; i++) {
        to[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3F));
    }
    return more + 1;
}

/* Decodes the escape at @at, its backslash. */
static size_t take_escape(const char **at, char to[4]) {
    static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    char letter = (*at)[1];
    *at += 2;
    for (const char *pair = letters; letter != 'u'; pair += 2) {
        if (*pair == letter) {
            to[0] = pair[1];
            return 1;
        }
    }
    uint32_t c = (uint32_t)hex_unit(*at);
    *at += 4;
    if (is_high_surrogate((int)c)) {
        c = 0x10000 + ((c - 0xD800) << 10) + ((uint32_t)hex_unit(*at + 2) - 0xDC00);
        *at += 6;
    }
    return put_utf8(c, to);
}

size_t json_take_string(const char **at, char *to, size_t room) {
    const char *end = string_end(*at);
    size_t used = 0;
    for (++*at; *at < end;) {
        char piece[4];
        const char *from = *at;
        size_t bytes;
        if (**at == '\\') {
            bytes = take_escape(at, piece);
            from = piece;
        } else {
            const char *escape = memchr(*at, '\\', (size_t)(end - *at));
            *at = escape ? escape : end;
            bytes = (size_t)(*at - from);
        }
        if (bytes >= room - used) {
            size_t cut = herald_utf8_cut(from, bytes, room - 1 - used);
            memcpy(to + used, from, cut);
            to[used + cut] = '\0';
            *at = end + 1;
            return room;
        }
        memcpy(to + used, from, bytes);
        used += bytes;
    }
    to[used] = '\0';
    *at = end + 1;
    return used;
}

void json_skip(const char **at) {
    unsigned depth = 0;
    do {
        char c = json_peek(at);
        if (c == '"') {
            *at = string_end(*at);
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c != ',' && c != ':') {
            while (!strchr(",]}: \t\r\n", (*at)[1])) {
                ++*at;
            }
        }
        ++*at;
    } while (depth > 0);
}

size_t json_count_items(const char *at) {
    size_t count = 0;
    json_take(&at, '[');
    if (json_peek(&at) == ']') {
        return 0;
    }
    do {
        json_skip(&at);
        count++;
    } while (json_take(&at, ','));
    return count;
}

const char *json_kind(const char *at) {
    switch (json_peek(&at)) {
    case '{':
        return "an object";
    case '[':
        return "an array";
    case '"':
        return "a string";
    case 't':
        return "true";
    case 'f':
        return "false";
    case 'n':
        return "null";
    default:
        return "a number";
    }
}

/* --- control characters --- */

char *json_escape_controls(const char *json) {
    enum { ESCAPE_BYTES = 6 };
    size_t bytes = strlen(json) + 1, controls = 0;
    for (const char *at = json; *at; at++) {
        controls += json_control_bytes(at) > 0;
    }
    char *escaped = malloc(bytes + controls * ESCAPE_BYTES), *to = escaped;
    while (escaped && *json) {
        size_t control = json_control_bytes(json);
        if (control > 0) {
            to += snprintf(to, ESCAPE_BYTES + 1, "\\u%04x", (unsigned)(unsigned char)json[control - 1]);
        } else {
            *to++ = *json;
        }
        json += control > 0 ? control : 1;
    }
    if (escaped) {
        *to = '\0';
    }
    return escaped;
}
