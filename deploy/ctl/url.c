#include "deploy/ctl/url.h"

#include <stddef.h>
#include <string.h>

static bool take_url_part(char *to, size_t bytes, const char *from, size_t length) {
    if (length >= bytes) {
        return false;
    }
    memcpy(to, from, length);
    to[length] = '\0';
    return true;
}

static bool split_host(const char *host, size_t length, struct url_parts *parts) {
    const char *end = host + length, *colon = NULL;
    if (host[0] == '[') {
        const char *bracket = memchr(host, ']', length);
        if (bracket == NULL ||
            !take_url_part(parts->host, sizeof(parts->host), host + 1, (size_t)(bracket - host) - 1)) {
            return false;
        }
        colon = bracket + 1 < end ? bracket + 1 : NULL;
        if (colon != NULL && *colon != ':') {
            return false;
        }
    } else {
        colon = memchr(host, ':', length);
        if (!take_url_part(parts->host, sizeof(parts->host), host, colon != NULL ? (size_t)(colon - host) : length)) {
            return false;
        }
    }
    const char *port = colon != NULL ? colon + 1 : end;
    return parts->host[0] != '\0' && take_url_part(parts->port, sizeof(parts->port), port, (size_t)(end - port)) &&
           parts->port[strspn(parts->port, "0123456789")] == '\0';
}

bool url_split(const char *url, struct url_parts *ret_parts) {
    memset(ret_parts, 0, sizeof(*ret_parts));
    const char *rest = strstr(url, "://");
    if (rest == NULL || rest == url ||
        !take_url_part(ret_parts->scheme, sizeof(ret_parts->scheme), url, (size_t)(rest - url))) {
        return false;
    }
    rest += strlen("://");
    size_t authority = strcspn(rest, "/?#");
    const char *path = rest[authority] == '/' ? rest + authority + 1 : rest + authority;
    const char *at = memrchr(rest, '@', authority);
    const char *host = at != NULL ? at + 1 : rest;
    if (at != NULL) {
        const char *colon = memchr(rest, ':', (size_t)(at - rest));
        const char *password = colon != NULL ? colon + 1 : at;
        if (!take_url_part(ret_parts->password, sizeof(ret_parts->password), password, (size_t)(at - password))) {
            return false;
        }
    }
    return split_host(host, authority - (size_t)(host - rest), ret_parts) &&
           take_url_part(ret_parts->path, sizeof(ret_parts->path), path, strlen(path));
}
