#include "client/src/resolve.h"

#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

static _Atomic(herald_resolve_fn *) injected;

void herald_resolver_set(herald_resolve_fn *resolve) {
    atomic_store(&injected, resolve);
}

herald_resolve_fn *herald_resolver_get(void) {
    herald_resolve_fn *resolve = atomic_load(&injected);
    return resolve ? resolve : herald_resolve;
}

/* The same address may come more than once. */
static void add_address(struct herald_addresses *addresses, const char *text) {
    for (size_t i = 0; i < addresses->count; i++) {
        if (strcmp(addresses->text[i], text) == 0) {
            return;
        }
    }
    if (addresses->count < HERALD_TARGETS_MAX) {
        strcpy(addresses->text[addresses->count++], text);
    }
}

enum herald_code herald_resolve(const char *host, int family, struct herald_addresses *ret_addresses,
                                struct herald_error *reterr) {
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int rv = getaddrinfo(host, NULL, &hints, &found);
    ret_addresses->count = 0;
    for (const struct addrinfo *at = found; rv == 0 && at; at = at->ai_next) {
        char text[46];
        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0 &&
            !strchr(text, '%')) { /* not beyond this link */
            add_address(ret_addresses, text);
        }
    }
    if (rv == 0) {
        freeaddrinfo(found);
    }
    if (ret_addresses->count > 0) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_NAME_NOT_FOUND, "the host name \"%s\" cannot be looked up: %s", host,
                            rv != 0 ? gai_strerror(rv) : "it has no address");
}
