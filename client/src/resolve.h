#ifndef HERALD_CLIENT_RESOLVE_H
#define HERALD_CLIENT_RESOLVE_H

/* Resolves host names to addresses. */
#include "client/src/target.h"
#include "herald/error.h"

#include <stddef.h>

/** Addresses as text: "192.0.2.1", "2001:db8::1". */
struct herald_addresses {
    size_t count;
    char text[HERALD_TARGETS_MAX][46];
};

/**
 * Resolves a host name.
 *
 * @family  AF_UNSPEC, AF_INET or AF_INET6
 * Returns:  HERALD_OK: at least one address | HERALD_UNAVAILABLE (NAME_NOT_FOUND)
 * Context:  blocks, possibly for long
 */
typedef enum herald_code herald_resolve_fn(const char *host, int family, struct herald_addresses *ret_addresses,
                                           struct herald_error *reterr);

/** Resolves with getaddrinfo(). */
herald_resolve_fn herald_resolve;
/** For tests: sets the resolver of channels opened from now on. @resolve  NULL: herald_resolve() */
void herald_resolver_set(herald_resolve_fn *resolve);
/** The resolver that was set, else herald_resolve(). */
herald_resolve_fn *herald_resolver_get(void);

#endif
