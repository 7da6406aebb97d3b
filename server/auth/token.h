#ifndef HERALD_AUTH_TOKEN_H
#define HERALD_AUTH_TOKEN_H

/*
 * Bearer tokens: JWTs (RFC 7519) signed with HS256 by a caller's key. A holder of the key makes a token for its own
 * caller, for an hour at most.
 *
 * Header: alg "HS256", kid. Claims: sub (the caller), exp, iat, jti; optional: user (for whom it acts), methods (the
 * only ones that it allows), aud (for which services it was made: a text or a list of them).
 */
#include "herald/error.h"
#include "server/auth/callers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_LIFE_MAX_S  3600
#define TOKEN_METHODS_MAX 16u
#define TOKEN_MAX_CHARS   2048u
#define TOKEN_SKEW_S      30 /* largest distance of iat into the future */

struct token_claims {
    const char *caller;
    const char *user; /* NULL: none */
    int64_t issued_s; /* seconds since 1970-01-01 UTC */
    int64_t life_s;   /* 1..TOKEN_LIFE_MAX_S */
    const char *const *methods;
    size_t method_count; /* 0: all that the caller may call; at most TOKEN_METHODS_MAX */
};

/**
 * Makes a token.
 *
 * @ret_token  set only on success; the caller frees it with free()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "BAD_CLAIM": a claim is out of range, or the token would be too
 *           long) | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY")
 */
enum herald_code token_make(const char *key_id, const struct auth_key *key, const struct token_claims *claims,
                            char **ret_token, struct herald_error *reterr);

/** Reads which key a token names, and checks nothing. Returns: false: it names none */
bool token_read_key_id(const char *token, size_t chars, char ret_key_id[CALLER_TEXT_BYTES]);

/** The content of a good token. */
struct token_grant {
    const struct caller *caller;  /* of the callers it was checked against */
    char user[CALLER_TEXT_BYTES]; /* empty: none */
    bool method_allowed;          /* false: it is narrowed to other methods */
};

/**
 * Checks a token. An unknown key takes the same time and gives the same error as a bad signature, so nobody can probe
 * for keys.
 *
 * @method     of the call, "pkg.Service/Method"
 * @audience   who is asked; a token with aud must name it
 * @now_s      seconds since 1970-01-01 UTC
 * @ret_grant  set only on success
 * Returns:  HERALD_OK | HERALD_UNAUTHENTICATED (reason "BAD_TOKEN", "TOKEN_EXPIRED")
 */
enum herald_code token_check(const struct callers *callers, const char *token, const char *method, const char *audience,
                             int64_t now_s, struct token_grant *ret_grant, struct herald_error *reterr);

#endif
