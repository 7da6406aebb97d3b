#ifndef HERALD_RPC_AUTH_H
#define HERALD_RPC_AUTH_H

/*
 * Authentication and access: the interceptor that checks credentials. A credential is always checked, even for a method
 * that needs none. It is the only source of identity: call->context.caller and .user.
 *
 * An unknown key takes the same time and gives the same error as a bad signature, so nobody can probe for keys.
 */
#include "herald/error.h"
#include "herald/schema.h"
#include "server/auth/auth_settings.h"
#include "server/auth/callers.h"
#include "server/rpc/interceptor.h"
#include "server/rpc/signature.h"

#include <stdbool.h>
#include <stdint.h>

struct auth;

/** Largest difference between a signature's time and the server's clock. */
#define AUTH_SKEW_MS 30000
/** Signatures are refused for this long after auth_begin(). A signer's clock may be ahead of the server's by this much,
 *  and its signatures from before auth_begin() are still recognised as such. */
#define AUTH_LEAD_MS 100
/** Largest retry_after_ms of SIGNED_BEFORE_START. A signature may be old only because it was long on its way. */
#define AUTH_AGAIN_MOST_MS 1000

/**
 * Reads the callers file of [auth] callers_file, if there is one.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "CALLERS_FILE_MISSING": auth.required is set without a file;
 *           "BAD_CALLERS", "UNREADABLE", "READABLE_BY_OTHERS") | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY")
 */
enum herald_code auth_new(const struct auth_settings *settings, struct auth **ret_auth, struct herald_error *reterr);
/** NULL is allowed. */
void auth_free(struct auth *auth);

/**
 * Accepts signatures from now on; those made before are refused, because an earlier process may have accepted their
 * nonces. Call it once no other process can accept calls at the address. rpc_server_listen() calls it for each
 * listener.
 *
 * @monotonic_ms  as for auth_check()
 * Context: any thread
 */
void auth_begin(struct auth *auth, uint64_t monotonic_ms);
/** True when calls without a credential are refused. */
bool auth_is_required(const struct auth *auth);
/** True when there is a callers file, so that Herald's servers can be told from strangers. */
bool auth_knows_callers(const struct auth *auth);
/**
 * Whether a credential names the key of a server or an operator. Nobody has checked it yet: only for places among calls
 * that wait, never for access.
 *
 * @auth_field  the packed herald.rpc.v1.Auth; any bytes
 * Context:     any thread
 */
bool auth_names_kept_caller(struct auth *auth, const uint8_t *auth_field, size_t bytes);
/** The interceptor; it lives as long as @auth. */
struct rpc_interceptor auth_interceptor(struct auth *auth);
/** Reloads the callers file if it has changed. A bad file, or one that names no caller any more, is logged once, and the
 *  old callers stay. One thread at a
 *  time, any. @again  also if it has not changed */
void auth_reload(struct auth *auth, bool again);

/** True when the callers file was not good at the last reload, so that older callers are in force. Any thread. */
bool auth_is_outdated(const struct auth *auth);

/** The caller, and the user for whom it acts, as the credential proves. */
struct auth_identity {
    char caller[65];
    char user[65];
    enum caller_class class;
    struct rpc_signature signature; /* time_ms 0: the credential is none */
};

/** The error of a signature that was taken before. Returns: HERALD_UNAUTHENTICATED (reason "REPLAYED") */
enum herald_code auth_replayed(struct herald_error *reterr);

/**
 * Checks the credential of a call.
 *
 * @now_ms        milliseconds since 1970-01-01 UTC
 * @monotonic_ms  of a clock that never goes back
 * @ret_identity  set only on success; texts empty and CALLER_CLASS_NONE without a credential
 * Returns:  HERALD_OK
 *           HERALD_UNAUTHENTICATED  CREDENTIAL_MISSING, NO_CALLERS (this server has no callers file), BAD_CREDENTIAL,
 *                                   CLOCK_SKEW, REPLAYED, BAD_TOKEN, TOKEN_EXPIRED
 *           HERALD_PERMISSION_DENIED  METHOD_NOT_ALLOWED, CALLER_NOT_A_SERVER, CALLER_NOT_AN_OPERATOR,
 *                                     USER_NOT_ALLOWED, USER_MISSING
 *           HERALD_RESOURCE_EXHAUSTED  NONCES_FULL (too many signed calls within a minute)
 *           HERALD_UNAVAILABLE  SIGNED_BEFORE_START (see auth_begin(); a new signature is accepted after
 *           retry_after_ms)
 * Context:  any thread; does not wait
 */
enum herald_code auth_check(struct auth *auth, const struct herald_method_schema *method,
                            const struct rpc_call_head *head, int64_t now_ms, uint64_t monotonic_ms,
                            struct auth_identity *ret_identity, struct herald_error *reterr);

#endif
