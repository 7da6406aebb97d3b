#ifndef HERALD_CLIENT_TARGET_H
#define HERALD_CLIENT_TARGET_H

/* The parsed URLs of a channel. */
#include "herald/error.h"

#include <stdbool.h>
#include <stddef.h>

/** Most URLs of a channel, and most addresses that one host name may have. */
#define HERALD_TARGETS_MAX 64u

struct herald_target {
    char *url;        /* as the caller gave it */
    const char *head; /* put before an address to dial it: "tcp://", … ; static; NULL: dial the url */
    char *host;       /* of TCP, without brackets; NULL for others */
    const char *port; /* in url */
    int family;       /* AF_UNSPEC, AF_INET or AF_INET6 */
    bool tls;
    bool named; /* host is a name, to be looked up; else an address */
};

/**
 * Parses a list of URLs, separated by commas.
 *
 * @ret_targets  free with herald_targets_free()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_URL) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code herald_targets_parse(const char *urls, struct herald_target **ret_targets, size_t *ret_count,
                                      struct herald_error *reterr);
/** NULL is allowed. */
void herald_targets_free(struct herald_target *targets, size_t count);

#endif
