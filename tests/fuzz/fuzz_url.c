#include "client/src/plain_url.h"
#include "client/src/target.h"
#include "deploy/ctl/url.h"
#include "server/store/redis/redis_url.h"
#include "server/transport/url.h"
#include "tests/fuzz/fuzz.h"

#include <nng/nng.h>
#include <stdlib.h>
#include <string.h>

/* URLs from settings and command lines, by everything that reads them. */

/* Whether checking it asks no name server: that is none of the parser's business, and slow. */
static bool has_numeric_host(const char *url) {
    nng_url *parsed = NULL;
    if (!herald_url_is_plain(url) || nng_url_parse(&parsed, url) != 0) {
        return true;
    }
    const char *host = parsed->u_hostname;
    bool numeric = !host || host[strspn(host, "0123456789.:*[]abcdefABCDEF")] == '\0';
    numeric = numeric && (!host || !*host || strpbrk(host, ".:*") != NULL);
    nng_url_free(parsed);
    return numeric;
}

static void check_listener_url(const char *url) {
    struct herald_error error;
    if (!has_numeric_host(url)) {
        return;
    }
    const struct listen_url_policy strict = {.authenticated = false}, insecure = {.insecure = true};
    enum herald_code code = listen_url_check("fuzzed", url, &strict, &error);
    fuzz_require(code == HERALD_OK || (error.code == code && error.message[0]), "a refusal says why");
    if (code == HERALD_PERMISSION_DENIED) {
        fuzz_require(listen_url_check("fuzzed", url, &insecure, &error) == HERALD_OK, "insecure means what it says");
    }
}

static void check_redis_url(const char *url) {
    struct herald_error error;
    struct redis_url parsed;
    if (redis_url_parse(url, &parsed, &error) != HERALD_OK) {
        return;
    }
    fuzz_require(parsed.host_count > 0 && parsed.host_count <= REDIS_HOSTS_MAX, "a good URL names a host");
    for (unsigned i = 0; i < parsed.host_count; i++) {
        fuzz_require(parsed.hosts[i].host[0] != '\0' && parsed.hosts[i].port[0] != '\0', "each has a name and a port");
    }
    fuzz_require(parsed.host_count == 1 || parsed.primary[0] != '\0', "several hosts are sentinels");
    fuzz_require(parsed.database <= 65535, "the number of the database has a range");
}

static void check_targets(const char *urls) {
    struct herald_error error;
    struct herald_target *targets = NULL;
    size_t count = 0;
    if (herald_targets_parse(urls, &targets, &count, &error) != HERALD_OK) {
        return;
    }
    fuzz_require(count > 0 && count <= HERALD_TARGETS_MAX, "targets have a limit");
    for (size_t i = 0; i < count; i++) {
        fuzz_require(herald_url_is_plain(targets[i].url), "nng sees no URL that it cannot read");
    }
    herald_targets_free(targets, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct url_parts parts;
    char *url = calloc(1, bytes + 1);
    fuzz_require(url != NULL, "there is memory");
    if (bytes > 0) {
        memcpy(url, data, bytes);
    }
    if (url_split(url, &parts)) {
        fuzz_require(parts.host[0] != '\0' && parts.scheme[0] != '\0', "a good URL names a scheme and a host");
    }
    check_redis_url(url);
    check_targets(url);
    check_listener_url(url);
    free(url);
    return 0;
}
