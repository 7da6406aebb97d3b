#ifndef HERALD_GATEWAY_SESSION_PAGE_H
#define HERALD_GATEWAY_SESSION_PAGE_H

/* Who asks, as the callers file of the gateway has it. The servers decide for themselves what a caller may do. */
#include "server/auth/callers.h"
#include "server/gateway/gateway.h"
#include "server/gateway/response.h"

struct session {
    bool is_checked; /* there is a callers file */
    enum caller_class class;
    char user[CALLER_TEXT_BYTES]; /* empty: none */
};

/**
 * Finds out who makes a request, from its bearer token.
 *
 * Returns:  HERALD_OK, also without a token | HERALD_UNAUTHENTICATED (BAD_TOKEN, TOKEN_EXPIRED)
 *           | HERALD_UNAVAILABLE (UNREADABLE): the callers file cannot be read now
 */
enum herald_code session_of(const struct gateway *gateway, const struct request *request, struct session *ret_session,
                            struct herald_error *reterr);

/** Answers /api/session. */
void serve_session(const struct gateway *gateway, struct request *request, struct response *response);

#endif
