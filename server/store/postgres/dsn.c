#include "server/store/postgres/dsn.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Keywords whose values libpq compares with a list only when it connects. */
static const struct {
    const char *keyword, *values;
} choices[] = {
    {"sslmode", "disable|allow|prefer|require|verify-ca|verify-full"},
    {"gssencmode", "disable|prefer|require"},
    {"channel_binding", "disable|prefer|require"},
    {"target_session_attrs", "any|read-write|read-only|primary|standby|prefer-standby"},
};
#define CHOICE_COUNT (sizeof(choices) / sizeof(choices[0]))

/* NULL: not set. */
static const char *dsn_value(const PQconninfoOption *options, const char *keyword) {
    for (; options->keyword; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val && *options->val ? options->val : NULL;
        }
    }
    return NULL;
}

/* True when @value is one of the words of @values, which have bars between them. */
static bool is_dsn_choice(const char *value, const char *values) {
    size_t length = strlen(value);
    for (const char *word = values; *word != '\0';) {
        size_t bytes = strcspn(word, "|");
        if (bytes == length && strncmp(word, value, bytes) == 0) {
            return true;
        }
        word += bytes + (word[bytes] == '|');
    }
    return false;
}

static enum herald_code check_choices(const PQconninfoOption *options, struct herald_error *reterr) {
    for (size_t i = 0; i < CHOICE_COUNT; i++) {
        const char *value = dsn_value(options, choices[i].keyword);
        if (value && !is_dsn_choice(value, choices[i].values)) {
            return herald_error_set(reterr, HERALD_REASON_BAD_DSN, "[pg] dsn: %s must be one of %s", choices[i].keyword,
                                    choices[i].values);
        }
    }
    return HERALD_OK;
}

static size_t count_listed(const char *list) {
    size_t count = list ? 1 : 0;
    for (; list && *list != '\0'; list++) {
        count += *list == ',';
    }
    return count;
}

/* From 1 to 65535; an empty one of a list stands for the default. */
static bool is_dsn_port(const char *text, size_t chars) {
    unsigned port = 0;
    for (size_t i = 0; i < chars; i++) {
        if (text[i] < '0' || text[i] > '9' || chars > 5) {
            return false;
        }
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return chars == 0 || (port > 0 && port <= 65535);
}

static enum herald_code check_ports(const PQconninfoOption *options, struct herald_error *reterr) {
    const char *ports = dsn_value(options, "port"), *addresses = dsn_value(options, "hostaddr");
    size_t count = count_listed(ports), hosts = count_listed(addresses ? addresses : dsn_value(options, "host"));
    if (count > 1 && count != hosts) {
        return herald_error_set(reterr, HERALD_REASON_BAD_DSN,
                                "[pg] dsn: %zu ports for %zu hosts: name one port for all, or one for each host", count,
                                hosts);
    }
    while (ports && *ports != '\0') {
        size_t chars = strcspn(ports, ",");
        if (!is_dsn_port(ports, chars)) {
            return herald_error_set(reterr, HERALD_REASON_BAD_DSN, "[pg] dsn: port must be a number from 1 to 65535");
        }
        ports += chars + (ports[chars] == ',');
    }
    return HERALD_OK;
}

/* Without this file libpq refuses every server. */
static enum herald_code check_root_certificate(const PQconninfoOption *options, struct herald_error *reterr) {
    const char *mode = dsn_value(options, "sslmode"), *file = dsn_value(options, "sslrootcert");
    if (!mode || strncmp(mode, "verify-", 7) != 0 || !file || strcmp(file, "system") == 0 || access(file, R_OK) == 0) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_BAD_DSN, "[pg] dsn: sslrootcert names no file that can be read");
}

enum herald_code db_dsn_check(const char *dsn, struct herald_error *reterr) {
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);
    if (!options) { /* libpq's own message could quote a password */
        return herald_error_set(
            reterr, HERALD_REASON_BAD_DSN,
            "[pg] dsn is no connection string of libpq: write key=value pairs (host=db dbname=herald "
            "user=herald), or postgresql://user@db/herald");
    }
    enum herald_code code = check_choices(options, reterr);
    if (code == HERALD_OK) {
        code = check_ports(options, reterr);
    }
    if (code == HERALD_OK) {
        code = check_root_certificate(options, reterr);
    }
    PQconninfoFree(options);
    return code;
}
