#ifndef HERALD_AUTH_CALLERS_H
#define HERALD_AUTH_CALLERS_H

/*
 * The callers of a server and what each may call, read from the callers file. A set of callers is immutable and shared
 * by reference count: running calls keep their set while a new one replaces it.
 *
 *   [caller shop-web]
 *   key.2026-11 = <base64 of 32 or more random bytes>      one key or several, under an id that no other caller uses
 *   methods = herald.job.v1.JobService/GetJob, …           methods; a service and a star for all of its; "*": all
 *   act_for = any                                          none (the default), any, or users with commas between them
 *   class = client                                         client (the default), operator or server
 *
 * deploy/callers.ini.example has more.
 */
#include "herald/error.h"
#include "server/auth/key_file.h"

#include <stdbool.h>
#include <stddef.h>

struct callers;
struct caller;

/** What a caller is. */
enum caller_class {
    CALLER_CLASS_NONE,     /* no known caller: the call has no credential */
    CALLER_CLASS_CLIENT,   /* a program or person outside Herald */
    CALLER_CLASS_OPERATOR, /* a person on duty */
    CALLER_CLASS_SERVER,   /* one of Herald's own servers */
};

#define CALLER_NAME_BYTES 41u /* with the terminator */
#define CALLER_TEXT_BYTES 65u /* a key id or a user, with the terminator */

/** A key and its caller. */
struct caller_key {
    const struct caller *caller;
    struct auth_key key;
};

/**
 * Reads a callers file.
 *
 * @ret_callers  set only on success; the caller releases it with callers_unref()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "BAD_CALLERS": all problems as details, each with file and
 *           line; "UNREADABLE"; "READABLE_BY_OTHERS") | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY")
 */
enum herald_code callers_load(const char *path, struct callers **ret_callers, struct herald_error *reterr);
struct callers *callers_ref(struct callers *callers);
/** Drops a reference. The last one wipes the keys. NULL is allowed. */
void callers_unref(struct callers *callers);

/** Looks up a key; NULL: unknown. */
const struct caller_key *callers_find_key(const struct callers *callers, const char *key_id);
/** Looks up a caller; NULL: unknown. */
const struct caller *callers_find(const struct callers *callers, const char *name);
/** The caller's first key in the file; every caller has one. @ret_key_id  lives as long as @callers */
const struct caller_key *caller_first_key(const struct caller *caller, const char **ret_key_id);

/** How many callers there are. */
size_t callers_count(const struct callers *callers);
const char *caller_name(const struct caller *caller);
/** Returns: never CALLER_CLASS_NONE */
enum caller_class caller_class_of(const struct caller *caller);
/** @method  "pkg.Service/Method" */
bool caller_may_call(const struct caller *caller, const char *method);
bool caller_may_act_for(const struct caller *caller, const char *user);

/** True when @pattern is "*", the method's full name, or its service with a star for the method. */
bool caller_pattern_matches(const char *pattern, const char *method);
/** True when @text may name a caller, key or user: 1 to @max_chars printable ASCII characters without blanks. */
bool caller_is_token(const char *text, size_t max_chars);

#endif
