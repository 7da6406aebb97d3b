#ifndef HERALD_AUTH_TOKEN_H
#define HERALD_AUTH_TOKEN_H

#include "herald/error.h"
#include "server/auth/callers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bearer tokens: JWTs (RFC 7519) signed with HS256 by a caller's key. Whoever has the key can make one, for itself, for
 * a while. header: alg "HS256", kid; claims: sub (the caller), exp, iat, jti, user (for whom it acts; optional) and
 * methods (to what it is narrowed; optional).
 */
#define TOKEN_LIFE_MAX_S  3600
#define TOKEN_METHODS_MAX 16u
#define TOKEN_MAX_CHARS   2048u
#define TOKEN_SKEW_S      30 /* how far in the future a token may have been made */

struct token_claims {
    const char *caller;
    const char *user; /* NULL: nobody */
    int64_t issued_s; /* seconds since 1970-01-01 UTC */
    int64_t life_s;   /* 1..TOKEN_LIFE_MAX_S */
    const char *const *methods;
    size_t method_count; /* 0: all that the caller may call; at most TOKEN_METHODS_MAX */
};

/**
 * Makes a token.
 *
 * @ret_token  set only on success; free() it
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (a claim is out of range, or the token would be too long) |
 *           HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code token_make(const char *key_id, const struct auth_key *key, const struct token_claims *claims,
                            char **ret_token, struct herald_error *reterr);

/** What a good token says. */
struct token_grant {
    const struct caller *caller;  /* of the callers it was checked against */
    char user[CALLER_TEXT_BYTES]; /* empty: nobody */
    bool method_allowed;          /* false: it is narrowed to other methods */
};

/**
 * Checks a token. What makes it bad is told only where that gives nothing away: a key that is unknown and a signature
 * that does not fit look the same.
 *
 * @method     that is called, "pkg.Service/Method"
 * @now_s      seconds since 1970-01-01 UTC
 * Returns:  HERALD_OK | HERALD_UNAUTHENTICATED: reason "BAD_TOKEN", or "TOKEN_EXPIRED"
 */
enum herald_code token_check(const struct callers *callers, const char *token, const char *method, int64_t now_s,
                             struct token_grant *ret_grant, struct herald_error *reterr);

#endif
