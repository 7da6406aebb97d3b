#ifndef HERALD_CREDENTIAL_H
#define HERALD_CREDENTIAL_H

/* Credentials prove to a server which caller makes a call. */
#include "herald/decls.h"
#include "herald/error.h"

#include <stddef.h>
#include <stdint.h>

HERALD_BEGIN_DECLS

/** A credential: a key to sign with, or a bearer token. Counted references; each channel holds one. Any thread. */
struct herald_credential;

/** Smallest key of an HMAC credential, bytes. */
#define HERALD_CREDENTIAL_KEY_MIN 32u

/**
 * A credential that signs each request with a key shared with the server (proto/WIRE.md, "Signatures").
 *
 * @key_id  printable ASCII without spaces, 1..64 characters: the server's name for the key
 * @key     copied; @key_bytes at least HERALD_CREDENTIAL_KEY_MIN
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_KEY_ID, INVALID_KEY)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code herald_credential_hmac(const char *key_id, const uint8_t *key, size_t key_bytes,
                                        struct herald_credential **ret_credential, struct herald_error *reterr);
/**
 * As herald_credential_hmac(), with the key from a file: base64 on one line.
 *
 * @path  a file that only its owner may read or write; any bit of mode 077 is refused
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (FILE_UNREADABLE, KEY_EXPOSED, INVALID_KEY_ID, INVALID_KEY)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code herald_credential_hmac_file(const char *key_id, const char *path,
                                             struct herald_credential **ret_credential, struct herald_error *reterr);
/**
 * A credential that sends a bearer token, as `heraldctl token` makes it, with each request.
 *
 * @token  copied; printable ASCII without spaces, 1..2048 characters
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_TOKEN) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code herald_credential_bearer(const char *token, struct herald_credential **ret_credential,
                                          struct herald_error *reterr);

/** Adds a reference. Returns: @credential */
struct herald_credential *herald_credential_ref(struct herald_credential *credential);
/** Drops a reference. The last one wipes the key or token and frees the credential. NULL is allowed. */
void herald_credential_unref(struct herald_credential *credential);

HERALD_END_DECLS

#endif
