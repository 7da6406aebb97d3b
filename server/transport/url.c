/*
 * URLs to listen on. The rule is safe by default: loopback, a Unix socket and inproc are always allowed; any other
 * address needs TLS and credentials, or rpc.insecure.
 */
#include "server/transport/url.h"

#include "client/src/plain_url.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

static bool address_is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    }
    return false;
}

/* True when every address of the host is loopback. A single other one would open the port to other machines. */
static bool host_is_loopback(const char *host, int *ret_failure) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    *ret_failure = getaddrinfo(host, NULL, &hints, &found);
    if (*ret_failure != 0) {
        return false;
    }
    bool loopback = true;
    for (const struct addrinfo *each = found; each; each = each->ai_next) {
        loopback = loopback && address_is_loopback(each->ai_addr);
    }
    freeaddrinfo(found);
    return loopback;
}

/* Refuses a URL beyond loopback with all that is missing and the settings for it. */
static enum herald_code refuse_insecure(const char *server_name, const char *url, bool tls, bool authenticated,
                                        struct herald_error *reterr) {
    herald_error_set(reterr, HERALD_REASON_INSECURE_LISTENER,
                     "%s will not listen on %s: whoever reaches that address could call it%s%s%s. %s%sOr listen on "
                     "tcp://127.0.0.1:PORT or ipc:///PATH, or, where everybody is trusted, set insecure = true under "
                     "[rpc] (HERALD_RPC_INSECURE=true)",
                     server_name, url, tls ? "" : " without encryption", !tls && !authenticated ? " and" : "",
                     authenticated ? "" : " without proving who they are",
                     tls ? "" : "Write tls+tcp:// and set cert_file and key_file under [tls]. ",
                     authenticated ? "" : "Set required = true and callers_file under [auth]. ");
    return HERALD_PERMISSION_DENIED;
}

static enum herald_code check_tcp(const char *server_name, const char *url, const nng_url *parsed,
                                  const struct listen_url_policy *policy, struct herald_error *reterr) {
    bool tls = strcmp(parsed->u_scheme, "tls+tcp") == 0;
    if (!parsed->u_port || !*parsed->u_port) {
        return herald_error_set(reterr, HERALD_REASON_BAD_URL,
                                "%s names no port; write %s://host:port (port 0: any free one)", url, parsed->u_scheme);
    }
    const char *host = parsed->u_hostname;
    bool any = !host || !*host || strcmp(host, "*") == 0;
    int failure = 0;
    if (!any && host_is_loopback(host, &failure)) {
        return HERALD_OK;
    }
    if (failure) {
        return herald_error_set(reterr, HERALD_REASON_BAD_URL, "cannot find the host of %s: %s", url,
                                gai_strerror(failure));
    }
    if (policy->insecure || (tls && policy->authenticated)) {
        return HERALD_OK;
    }
    return refuse_insecure(server_name, url, tls, policy->authenticated, reterr);
}

static enum herald_code check_ipc(const char *url, const nng_url *parsed, struct herald_error *reterr) {
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    const char *path = parsed->u_path;
    if (path && *path && strlen(path) <= room) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_BAD_URL,
                            "%s: the path of a Unix socket has 1 to %zu bytes; write ipc:///path", url, room);
}

enum herald_code listen_url_check(const char *server_name, const char *url, const struct listen_url_policy *policy,
                                  struct herald_error *reterr) {
    nng_url *parsed = NULL;
    enum herald_code code;
    if (!herald_url_is_plain(url) || nng_url_parse(&parsed, url) != 0) {
        return herald_error_set(reterr, HERALD_REASON_BAD_URL,
                                "\"%s\" is no URL; write tcp://host:port, tls+tcp://host:port or ipc:///path", url);
    }
    if (strcmp(parsed->u_scheme, "tcp") == 0 || strcmp(parsed->u_scheme, "tls+tcp") == 0) {
        code = check_tcp(server_name, url, parsed, policy, reterr);
    } else if (strcmp(parsed->u_scheme, "ipc") == 0) {
        code = check_ipc(url, parsed, reterr);
    } else if (strcmp(parsed->u_scheme, "inproc") == 0) {
        code = HERALD_OK;
    } else {
        code = herald_error_set(reterr, HERALD_REASON_BAD_URL,
                                "%s: %s:// is not served; write tcp://host:port, tls+tcp://host:port or ipc:///path",
                                url, parsed->u_scheme);
    }
    nng_url_free(parsed);
    return code;
}
