#ifndef HERALD_CREDENTIAL_H
#define HERALD_CREDENTIAL_H

#include "herald/decls.h"
#include "herald/error.h"

#include <stddef.h>
#include <stdint.h>

HERALD_BEGIN_DECLS

/*
 * What proves to a server who calls. A credential is shared by reference count; channels take a share of their own.
 * Any thread.
 */
struct herald_credential;

/** Smallest key of an HMAC credential, bytes. */
#define HERALD_CREDENTIAL_KEY_MIN 32u

/**
 * A credential that signs each request with a key shared with the server (proto/WIRE.md, "Signatures").
 *
 * @key_id  printable ASCII without spaces, 1..64 characters: the server's name for the key
 * @key     copied; @key_bytes at least HERALD_CREDENTIAL_KEY_MIN
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code herald_credential_hmac(const char *key_id, const uint8_t *key, size_t key_bytes,
                                        struct herald_credential **ret_credential, struct herald_error *reterr);
/** The same with the key from a file: base64 on one line. Refuses a file that others may read (mode & 077). */
enum herald_code herald_credential_hmac_file(const char *key_id, const char *path,
                                             struct herald_credential **ret_credential, struct herald_error *reterr);
/** A bearer token as heraldctl token makes it. @token  copied; printable ASCII without spaces, 1..2048 characters */
enum herald_code herald_credential_bearer(const char *token, struct herald_credential **ret_credential,
                                          struct herald_error *reterr);

struct herald_credential *herald_credential_ref(struct herald_credential *credential);
/** NULL is allowed. Key and token are wiped with the last share. */
void herald_credential_unref(struct herald_credential *credential);

HERALD_END_DECLS

#endif
