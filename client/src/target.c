/* Parses the URLs of a channel. */
#include "client/src/target.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct scheme {
    const char *head;
    int family;
    bool network; /* host and port follow */
    bool tls;
};

static const struct scheme SCHEMES[] = {
    {"tcp://", AF_UNSPEC, true, false},    {"tcp4://", AF_INET, true, false},   {"tcp6://", AF_INET6, true, false},
    {"tls+tcp://", AF_UNSPEC, true, true}, {"ipc://", AF_UNSPEC, false, false}, {"inproc://", AF_UNSPEC, false, false},
};

static const struct scheme *scheme_of(const char *url) {
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
        if (strncmp(url, SCHEMES[i].head, strlen(SCHEMES[i].head)) == 0) {
            return &SCHEMES[i];
        }
    }
    return NULL;
}

static bool is_port(const char *text) {
    size_t digits = strspn(text, "0123456789");
    long number = strtol(text, NULL, 10);
    return digits >= 1 && digits <= 5 && text[digits] == '\0' && number >= 1 && number <= 65535;
}

static bool is_host_name(const char *host) {
    size_t length = strlen(host);
    return length >= 1 && length <= 253 &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == length;
}

/* Fills host, port and named; false if @rest is no "host:port" or "[address]:port". */
static bool read_host(struct herald_target *target, const char *rest) {
    unsigned char address[16];
    const char *colon = strrchr(rest, ':');
    bool brackets = rest[0] == '[';
    if (!colon || !is_port(colon + 1) || (brackets && colon[-1] != ']')) {
        return false;
    }
    target->port = colon + 1;
    target->host = brackets ? strndup(rest + 1, (size_t)(colon - rest) - 2) : strndup(rest, (size_t)(colon - rest));
    if (!target->host) {
        return true; /* the caller looks */
    }
    if (brackets) {
        return inet_pton(AF_INET6, target->host, address) == 1;
    }
    target->named = inet_pton(AF_INET, target->host, address) != 1;
    return !target->named || is_host_name(target->host);
}

static enum herald_code read_target(struct herald_target *target, struct herald_error *reterr) {
    const struct scheme *scheme = scheme_of(target->url);
    const char *rest = scheme ? target->url + strlen(scheme->head) : NULL;
    bool good = scheme && *rest != '\0';
    if (good && scheme->network) {
        target->head = scheme->head;
        target->family = scheme->family;
        target->tls = scheme->tls;
        good = read_host(target, rest);
        if (good && !target->host) {
            return herald_error_no_memory(reterr, "a channel");
        }
    }
    if (good) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_INVALID_URL,
                            "\"%s\" is no URL to call: use tcp://HOST:PORT, tls+tcp://HOST:PORT, ipc:///PATH or "
                            "inproc://NAME, several with commas between them",
                            target->url);
}

static size_t count_urls(const char *urls) {
    size_t count = 1;
    for (; *urls; urls++) {
        count += *urls == ',';
    }
    return count;
}

enum herald_code herald_targets_parse(const char *urls, struct herald_target **ret_targets, size_t *ret_count,
                                      struct herald_error *reterr) {
    size_t count = count_urls(urls);
    if (count > HERALD_TARGETS_MAX) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_URL, "%zu URLs; a channel takes at most %u", count,
                                HERALD_TARGETS_MAX);
    }
    struct herald_target *targets = calloc(count, sizeof(*targets));
    enum herald_code code = targets ? HERALD_OK : herald_error_no_memory(reterr, "a channel");
    for (size_t i = 0; i < count && code == HERALD_OK; i++) {
        size_t bytes = strcspn(urls, ",");
        targets[i].url = strndup(urls, bytes);
        code = targets[i].url ? read_target(&targets[i], reterr) : herald_error_no_memory(reterr, "a channel");
        urls += bytes + 1;
    }
    if (code != HERALD_OK) {
        herald_targets_free(targets, count);
        return code;
    }
    *ret_targets = targets;
    *ret_count = count;
    return HERALD_OK;
}

void herald_targets_free(struct herald_target *targets, size_t count) {
    for (size_t i = 0; targets && i < count; i++) {
        free(targets[i].url);
        free(targets[i].host);
    }
    free(targets);
}
