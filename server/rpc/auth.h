#ifndef HERALD_RPC_AUTH_H
#define HERALD_RPC_AUTH_H

#include "herald/error.h"
#include "herald/schema.h"
#include "server/auth/auth_settings.h"
#include "server/rpc/interceptor.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Who calls, and may they: the interceptor that checks credentials. A credential that is there is always checked, also
 * where none is needed. Identity comes from it alone: call->context.caller and .user.
 *
 * What a failed check says never tells a key that is unknown from a signature that does not fit.
 */
struct auth;

/** Signatures are taken within this of the server's clock. */
#define AUTH_SKEW_MS 30000
/** And so long after auth_begin() not at all: by so much may the clocks of signers be ahead of the server's, and what
 * they signed before auth_begin() still be told from what they sign after it. */
#define AUTH_LEAD_MS 100

/**
 * Reads the callers file of [auth] callers_file, if there is one.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (the file is bad, or auth.required is set without one) |
 *           HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code auth_new(const struct auth_settings *settings, struct auth **ret_auth, struct herald_error *reterr);
/** NULL is allowed. */
void auth_free(struct auth *auth);

/** From now on nonces are remembered: signatures from before are refused, and without this all are. Called once no
 * other process can take calls at the address any more; again: the same. Any thread. @monotonic_ms  as for auth_check()
 */
void auth_begin(struct auth *auth, uint64_t monotonic_ms);
/** Whether calls are refused without a credential. */
bool auth_is_required(const struct auth *auth);
/** The interceptor; it lives as long as @auth. */
struct rpc_interceptor auth_interceptor(struct auth *auth);
/** Reads the callers file again if it has changed. A bad one is logged once and the old one stays in force. One thread
 *  at a time, any. */
void auth_reload(struct auth *auth);

/** Who calls, as the credential proves. */
struct auth_identity {
    char caller[65];
    char user[65];
};

/**
 * Checks the credential of a call.
 *
 * @now_ms        milliseconds since 1970-01-01 UTC
 * @monotonic_ms  of a clock that never goes back
 * @ret_identity  set only on success; both empty without a credential
 * Returns:  HERALD_OK
 *           HERALD_UNAUTHENTICATED  CREDENTIAL_MISSING, NO_CALLERS (this server has no callers file), BAD_CREDENTIAL,
 *                                   CLOCK_SKEW, REPLAYED, BAD_TOKEN, TOKEN_EXPIRED
 *           HERALD_PERMISSION_DENIED  METHOD_NOT_ALLOWED, USER_NOT_ALLOWED, USER_MISSING
 *           HERALD_RESOURCE_EXHAUSTED  NONCES_FULL (too many signed calls within a minute)
 *           HERALD_UNAVAILABLE  SIGNED_BEFORE_START (auth_begin(); retry_after_ms says when a new signature is taken)
 * Context:  any thread; does not wait
 */
enum herald_code auth_check(struct auth *auth, const struct herald_method_schema *method,
                            const struct rpc_call_head *head, int64_t now_ms, uint64_t monotonic_ms,
                            struct auth_identity *ret_identity, struct herald_error *reterr);

#endif
