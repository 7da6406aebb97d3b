#ifndef HERALD_CLIENT_RESOLVE_H
#define HERALD_CLIENT_RESOLVE_H

#include "client/src/target.h"
#include "herald/error.h"

#include <stddef.h>

/* From host names to addresses. */

/** Addresses as text: "192.0.2.1", "2001:db8::1". */
struct herald_addresses {
    size_t count;
    char text[HERALD_TARGETS_MAX][46];
};

/**
 * Looks a name up.
 *
 * @family  AF_UNSPEC, AF_INET or AF_INET6
 * Returns:  HERALD_OK with at least one address | HERALD_UNAVAILABLE
 * Context:  may block for long
 */
typedef enum herald_code herald_resolve_fn(const char *host, int family, struct herald_addresses *ret_addresses,
                                           struct herald_error *reterr);

/** With getaddrinfo(). */
herald_resolve_fn herald_resolve;
/** For tests: what channels opened from now on resolve names with. @resolve  NULL: herald_resolve() */
void herald_resolver_set(herald_resolve_fn *resolve);
herald_resolve_fn *herald_resolver_get(void);

#endif
