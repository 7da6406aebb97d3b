/* Makes C names of schema names: names.h. */
#include "gen/plugin/names.h"

#include <ctype.h>
#include <string.h>

static char lower(char c) {
    return (char)tolower((unsigned char)c);
}

static char upper(char c) {
    return (char)toupper((unsigned char)c);
}

static bool is_upper(char c) {
    return isupper((unsigned char)c) != 0;
}

/* Splits words where an upper-case letter follows another character; pieces of a full name are joined by @joint. */
static char *lower_name(struct pool *pool, const char *full_name, const char *joint) {
    char *name = pool_alloc(pool, 2 * strlen(full_name) + 1);
    char *out = name;
    bool was_upper = true; /* no underscore at the beginning */
    for (const char *in = full_name; *in != '\0'; in++) {
        if (*in == '.') {
            if (out != name) {
                out = stpcpy(out, joint);
            }
            was_upper = true;
            continue;
        }
        if (is_upper(*in) && !was_upper) {
            *out++ = '_';
        }
        *out++ = lower(*in);
        was_upper = is_upper(*in);
    }
    return name;
}

char *name_c_lower(struct pool *pool, const char *full_name) {
    return lower_name(pool, full_name, "__");
}

char *name_symbol(struct pool *pool, const char *full_name) {
    return lower_name(pool, full_name, "_");
}

char *name_snake(struct pool *pool, const char *name) {
    return lower_name(pool, name, "_");
}

char *name_handlers(struct pool *pool, const char *service) {
    static const char suffix[] = "_service";
    char *name = name_snake(pool, service);
    size_t length = strlen(name), suffix_length = sizeof(suffix) - 1;
    if (length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0) {
        name[length - suffix_length] = '\0';
    }
    return name;
}

const char *name_short(const char *package, const char *full_name) {
    size_t length = strlen(package);
    return length > 0 && strncmp(full_name, package, length) == 0 ? full_name + length + 1 : full_name;
}

char *name_lower(struct pool *pool, const char *name) {
    char *lowered = pool_printf(pool, "%s", name);
    for (char *c = lowered; *c != '\0'; c++) {
        *c = lower(*c);
    }
    return lowered;
}

char *name_upper(struct pool *pool, const char *name) {
    char *raised = pool_printf(pool, "%s", name);
    for (char *c = raised; *c != '\0'; c++) {
        *c = upper(*c);
    }
    return raised;
}

char *name_c_type(struct pool *pool, const char *full_name) {
    char *name = pool_alloc(pool, 2 * strlen(full_name) + 1);
    char *out = name;
    bool next_upper = true;
    for (const char *in = full_name; *in != '\0'; in++) {
        if (*in == '.') {
            if (out != name) {
                out = stpcpy(out, "__");
            }
            next_upper = true;
        } else if (*in == '_') {
            next_upper = true;
        } else {
            *out++ = next_upper ? upper(*in) : *in;
            next_upper = false;
        }
    }
    return name;
}

char *name_json(struct pool *pool, const char *name) {
    char *json = pool_alloc(pool, strlen(name) + 1);
    char *out = json;
    bool next_upper = false;
    for (const char *in = name; *in != '\0'; in++) {
        if (*in == '_') {
            next_upper = true;
        } else {
            *out++ = next_upper ? upper(*in) : *in;
            next_upper = false;
        }
    }
    return json;
}

char *name_file_stem(struct pool *pool, const char *path) {
    size_t length = strlen(path);
    const char *suffix = ".proto";
    if (length > strlen(suffix) && strcmp(path + length - strlen(suffix), suffix) == 0) {
        length -= strlen(suffix);
    }
    return pool_printf(pool, "%.*s", (int)length, path);
}

char *name_file_symbol(struct pool *pool, const char *path) {
    char *symbol = name_file_stem(pool, path);
    for (char *c = symbol; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c)) {
            *c = '_';
        }
    }
    return symbol;
}

char *name_guard(struct pool *pool, const char *path, const char *kind) {
    char *guard = pool_printf(pool, "HERALD_GEN_%s_%s_H", name_file_symbol(pool, path), kind);
    for (char *c = guard; *c != '\0'; c++) {
        *c = upper(*c);
    }
    return guard;
}

bool name_is_reserved(const char *word) {
    /* C11, the usual extensions, and what gcc predefines without underscores in gnu mode. */
    static const char *const reserved[] = {
        "asm",        "auto",      "bool",           "break",
        "case",       "char",      "const",          "continue",
        "default",    "do",        "double",         "else",
        "enum",       "extern",    "false",          "float",
        "for",        "goto",      "i386",           "if",
        "inline",     "int",       "linux",          "long",
        "register",   "restrict",  "return",         "short",
        "signed",     "sizeof",    "static",         "struct",
        "switch",     "true",      "typedef",        "typeof",
        "union",      "unix",      "unsigned",       "void",
        "volatile",   "while",     "_Alignas",       "_Alignof",
        "_Atomic",    "_Bool",     "_Complex",       "_Generic",
        "_Imaginary", "_Noreturn", "_Static_assert", "_Thread_local",
        "NULL",
    };
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcmp(word, reserved[i]) == 0) {
            return true;
        }
    }
    return false;
}
