#ifndef HERALD_CLIENT_SRC_CREDENTIAL_H
#define HERALD_CLIENT_SRC_CREDENTIAL_H

/* Writes the proof of a request's caller: proto/herald/rpc/v1/envelope.proto Auth. */
#include "client/message/signature.h"
#include "herald/credential.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Whether a credential signs, so that its proof covers the request's user and idempotency key. */
bool herald_credential_signs(const struct herald_credential *credential);
/** Whether a text may be part of a signed string: printable ASCII without spaces, at most @most characters. */
bool herald_credential_can_sign(const char *text, size_t bytes, size_t most);

/** Longest field Request.auth, tag and length included. */
#define HERALD_AUTH_MAX_BYTES 2304u

/**
 * Writes the field Request.auth, with a fresh time and nonce.
 *
 * @call       the parts of the call that a signature covers: method, user, idempotency key and payload. Key id, time
 *             and nonce are not read
 * @ret_bytes  how many of @ret_field were written
 * Returns:  false: libcrypto could not sign (no memory)
 */
bool herald_credential_write(const struct herald_credential *credential, const struct herald_signed_parts *call,
                             uint8_t ret_field[HERALD_AUTH_MAX_BYTES], size_t *ret_bytes);

#endif
