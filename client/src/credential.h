#ifndef HERALD_CLIENT_SRC_CREDENTIAL_H
#define HERALD_CLIENT_SRC_CREDENTIAL_H

#include "client/message/signature.h"
#include "herald/credential.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Proofs on requests: proto/herald/rpc/v1/envelope.proto Auth. */

/** Whether its proof covers the user and the idempotency key of a request. */
bool herald_credential_signs(const struct herald_credential *credential);
/** Whether a text may stand in a signed string: printable ASCII without spaces, at most @most characters. */
bool herald_credential_can_sign(const char *text, size_t bytes, size_t most);

/** Longest Auth that is written for a signature: its own head and fields. */
#define HERALD_AUTH_MAX_BYTES 2304u

/**
 * Writes the field Request.auth, with a fresh time and nonce.
 *
 * @call       what a signature covers of the call: method, user, idempotency key and payload. Its key id, time and nonce
 *             are not read
 * @ret_bytes  how many of @ret_field were written
 * Returns:  false: libcrypto could not sign (no memory)
 */
bool herald_credential_write(const struct herald_credential *credential, const struct herald_signed_parts *call,
                             uint8_t ret_field[HERALD_AUTH_MAX_BYTES], size_t *ret_bytes);

#endif
