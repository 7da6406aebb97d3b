#ifndef HERALD_GATEWAY_ORIGINS_H
#define HERALD_GATEWAY_ORIGINS_H

/*
 * Whose pages may call. A browser names the origin of the page with each request that crosses origins, and with each that
 * may change something. Identity comes from Authorization alone, never from a cookie.
 */
#include "server/gateway/gateway.h"
#include "server/gateway/response.h"

/**
 * Checks Host and Origin, and adds the headers of CORS for an origin that is allowed.
 *
 * Returns: false: the request was answered: 421 for a host that is not the gateway's, 403 for a change by another's page
 */
bool origins_check(const struct gateway *gateway, const struct request *request, struct response *response);
/** Adds the answer to a preflight. @allowed  the path's methods, with commas */
void origins_add_preflight(const struct gateway *gateway, const struct request *request, const char *allowed,
                           struct response *response);

#endif
