#include "server/store/postgres/dsn.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What libpq would connect with. */
struct dsn {
    PQconninfoOption *given;     /* of the text itself */
    PQconninfoOption *effective; /* with those of a service file and of the environment too */
};

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

/* Keywords whose values libpq reads as numbers only when it connects. */
static const char *const numbers[] = {
    "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
};
#define NUMBER_COUNT (sizeof(numbers) / sizeof(numbers[0]))

static const char *const tls_versions[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
#define TLS_VERSION_COUNT (sizeof(tls_versions) / sizeof(tls_versions[0]))

/* Keywords that name a file. libpq goes on without some of them, less strictly than they were meant. */
static const char *const files[] = {"sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir"};
#define FILE_COUNT (sizeof(files) / sizeof(files[0]))

/* A value that libpq refuses after it has read all that it connects with, and before it connects. */
#define STOP "herald-stops-here"

static const PQconninfoOption *dsn_option(const PQconninfoOption *options, const char *keyword) {
    for (; options && options->keyword; options++) {
        if (strcmp(options->keyword, keyword) == 0) {
            return options->val && *options->val ? options : NULL;
        }
    }
    return NULL;
}

/* NULL: not set. */
static const char *dsn_value(const struct dsn *dsn, const char *keyword) {
    const PQconninfoOption *option = dsn_option(dsn->effective, keyword);
    return option ? option->val : NULL;
}

/* Never shows the value, which could be a password in the wrong place. */
static enum herald_code bad_dsn(const struct dsn *dsn, const char *keyword, const char *what,
                                struct herald_error *reterr) {
    const PQconninfoOption *option = dsn_option(dsn->effective, keyword);
    bool elsewhere = option && !dsn_option(dsn->given, keyword);
    char origin[96] = "";
    if (elsewhere) {
        (void)snprintf(origin, sizeof(origin), " (it comes from a service file%s%s)", option->envvar ? " or from " : "",
                       option->envvar ? option->envvar : "");
    }
    return herald_error_set(reterr, HERALD_REASON_BAD_DSN, "%s %s%s", keyword, what, origin);
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

static enum herald_code check_choices(const struct dsn *dsn, struct herald_error *reterr) {
    for (size_t i = 0; i < CHOICE_COUNT; i++) {
        const char *value = dsn_value(dsn, choices[i].keyword);
        if (value && !is_dsn_choice(value, choices[i].values)) {
            char what[112];
            (void)snprintf(what, sizeof(what), "must be one of %s", choices[i].values);
            return bad_dsn(dsn, choices[i].keyword, what, reterr);
        }
    }
    return HERALD_OK;
}

/* A number of libpq: blanks may stand around it. */
static bool is_dsn_number(const char *text) {
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    bool any = end != text;
    end += strspn(end, " \t\n\v\f\r");
    return any && *end == '\0' && errno == 0 && number >= INT_MIN && number <= INT_MAX;
}

static enum herald_code check_numbers(const struct dsn *dsn, struct herald_error *reterr) {
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        const char *value = dsn_value(dsn, numbers[i]);
        if (value && !is_dsn_number(value)) {
            return bad_dsn(dsn, numbers[i], "must be a whole number", reterr);
        }
    }
    return HERALD_OK;
}

/* Counted from 0; TLS_VERSION_COUNT: none of them. */
static size_t tls_version_of(const char *text) {
    size_t i = 0;
    while (i < TLS_VERSION_COUNT && strcasecmp(text, tls_versions[i]) != 0) {
        i++;
    }
    return i;
}

static enum herald_code check_tls_versions(const struct dsn *dsn, struct herald_error *reterr) {
    static const char *const keywords[] = {"ssl_min_protocol_version", "ssl_max_protocol_version"};
    size_t found[] = {0, TLS_VERSION_COUNT - 1};
    for (size_t i = 0; i < 2; i++) {
        const char *value = dsn_value(dsn, keywords[i]);
        found[i] = value ? tls_version_of(value) : found[i];
        if (found[i] == TLS_VERSION_COUNT) {
            return bad_dsn(dsn, keywords[i], "must be one of TLSv1|TLSv1.1|TLSv1.2|TLSv1.3", reterr);
        }
    }
    return found[0] <= found[1] ? HERALD_OK
                                : bad_dsn(dsn, keywords[0], "must not be above ssl_max_protocol_version", reterr);
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

/* A numeric address; an empty one of a list stands for the host beside it. */
static bool is_dsn_address(const char *text, size_t chars) {
    char address[80];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    (void)snprintf(address, sizeof(address), "%.*s", (int)(chars < sizeof(address) ? chars : sizeof(address)), text);
    bool good = chars == 0 || (chars < sizeof(address) && getaddrinfo(address, NULL, &hints, &found) == 0);
    if (found) {
        freeaddrinfo(found);
    }
    return good;
}

/* The folder of a Unix socket fits into an address with the socket's name behind it. */
static bool is_dsn_host(const char *text, size_t chars) {
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);
    return chars == 0 || (*text != '/' && *text != '@') || chars + sizeof("/.s.PGSQL.65535") <= room;
}

static enum herald_code check_dsn_list(const struct dsn *dsn, const char *keyword,
                                       bool (*is_good)(const char *text, size_t chars), const char *what,
                                       struct herald_error *reterr) {
    const char *list = dsn_value(dsn, keyword);
    while (list && *list != '\0') {
        size_t chars = strcspn(list, ",");
        if (!is_good(list, chars)) {
            return bad_dsn(dsn, keyword, what, reterr);
        }
        list += chars + (list[chars] == ',');
    }
    return HERALD_OK;
}

static enum herald_code check_hosts(const struct dsn *dsn, struct herald_error *reterr) {
    enum herald_code code = check_dsn_list(dsn, "port", is_dsn_port, "must be a number from 1 to 65535", reterr);
    if (code == HERALD_OK) {
        code = check_dsn_list(dsn, "hostaddr", is_dsn_address,
                              "must be an IPv4 or IPv6 address; a name goes into host instead", reterr);
    }
    return code == HERALD_OK
               ? check_dsn_list(dsn, "host", is_dsn_host, "names a folder too long for a Unix socket", reterr)
               : code;
}

/* Lists of different lengths: libpq refuses these before it reaches STOP. */
static enum herald_code check_counts(const PQconninfoOption *given, struct herald_error *reterr) {
    const PQconninfoOption *port = dsn_option(given, "port"), *address = dsn_option(given, "hostaddr");
    const PQconninfoOption *host = dsn_option(given, "host");
    size_t ports = count_listed(port ? port->val : NULL), addresses = count_listed(address ? address->val : NULL);
    size_t hosts = count_listed(host ? host->val : NULL), places = address ? addresses : hosts;
    if (hosts > 0 && addresses > 0 && hosts != addresses) {
        return herald_error_set(reterr, HERALD_REASON_BAD_DSN,
                                "%zu hosts for %zu addresses: name one host for each hostaddr", hosts, addresses);
    }
    return ports <= 1 || ports == places
               ? HERALD_OK
               : herald_error_set(reterr, HERALD_REASON_BAD_DSN,
                                  "%zu ports for %zu hosts: name one port for all, or one for each host", ports,
                                  places);
}

/* As libpq: nobody but its owner may read a key; of root's the group may. */
static bool is_private_key(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return false;
    }
    return (info.st_mode & (info.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO)) == 0;
}

static enum herald_code check_dsn_file(const struct dsn *dsn, const char *keyword, struct herald_error *reterr) {
    const char *path = dsn_value(dsn, keyword);
    bool is_key = strcmp(keyword, "sslkey") == 0;
    if (!path || strcmp(path, "system") == 0 || (is_key && strchr(path, ':'))) {
        return HERALD_OK; /* the system's CAs; a key in an engine of OpenSSL */
    }
    if (access(path, R_OK) != 0) {
        return bad_dsn(dsn, keyword, "names no file that can be read: correct the path, or chmod the file", reterr);
    }
    if (is_key && !is_private_key(path)) {
        return bad_dsn(dsn, keyword, "names a key that others may read, which libpq refuses: chmod 600 the file",
                       reterr);
    }
    return HERALD_OK;
}

static enum herald_code check_dsn_files(const struct dsn *dsn, struct herald_error *reterr) {
    const char *mode = dsn_value(dsn, "sslmode");
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; i < FILE_COUNT && code == HERALD_OK && !(mode && strcmp(mode, "disable") == 0); i++) {
        code = check_dsn_file(dsn, files[i], reterr);
    }
    return code;
}

/* Takes a choice that STOP stood for back from the text. */
static void restore_stopped(struct dsn *dsn) {
    const PQconninfoOption *given = dsn_option(dsn->given, "channel_binding");
    for (PQconninfoOption *option = dsn->effective; option && option->keyword; option++) {
        if (option->val && strcmp(option->val, STOP) == 0) {
            PQfreemem(option->val);
            option->val = given ? strdup(given->val) : NULL;
        }
    }
}

/* Reads what the text, a service file and the environment say together. */
static enum herald_code read_effective(const char *text, struct dsn *dsn, struct herald_error *reterr) {
    const char *const keywords[] = {"dbname", "channel_binding", NULL}, *const values[] = {text, STOP, NULL};
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    if (!conn) {
        return herald_error_no_memory(reterr, "libpq");
    }
    enum herald_code code = HERALD_OK;
    const char *message = PQerrorMessage(conn);
    if (!strstr(message, STOP)) { /* of a service, or of lists in the environment: it quotes no value */
        code = herald_error_set(reterr, HERALD_REASON_BAD_DSN, "libpq refuses it: %.*s", (int)strcspn(message, "\n"),
                                message);
    } else if (!(dsn->effective = PQconninfo(conn))) {
        code = herald_error_no_memory(reterr, "libpq");
    } else {
        restore_stopped(dsn);
    }
    PQfinish(conn);
    return code;
}

typedef enum herald_code dsn_check_fn(const struct dsn *dsn, struct herald_error *reterr);

enum herald_code db_dsn_check(const char *text, struct herald_error *reterr) {
    struct dsn dsn = {.given = PQconninfoParse(text, NULL)};
    if (!dsn.given) { /* libpq's own message could quote a password */
        return herald_error_set(reterr, HERALD_REASON_BAD_DSN,
                                "it is no connection string of libpq: write key=value pairs (host=db dbname=herald "
                                "user=herald), or postgresql://user@db/herald");
    }
    static dsn_check_fn *const checks[] = {
        check_choices, check_numbers, check_tls_versions, check_hosts, check_dsn_files,
    };
    enum herald_code code = check_counts(dsn.given, reterr);
    if (code == HERALD_OK) {
        code = read_effective(text, &dsn, reterr);
    }
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && code == HERALD_OK; i++) {
        code = checks[i](&dsn, reterr);
    }
    PQconninfoFree(dsn.effective);
    PQconninfoFree(dsn.given);
    return code;
}

const char *db_dsn_gssencmode(const PQconninfoOption *parsed) {
    bool may_be_named = dsn_option(parsed, "service") || getenv("PGSERVICE") || getenv("PGGSSENCMODE");
    return may_be_named ? NULL : "disable";
}
