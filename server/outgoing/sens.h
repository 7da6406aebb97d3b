#ifndef HERALD_OUTGOING_SENS_H
#define HERALD_OUTGOING_SENS_H

/* Signatures of requests to the gateway of NAVER Cloud (x-ncp-apigw-signature-v2), which its service SENS asks for. */

#include <stdbool.h>
#include <stdint.h>

/** Room for a signature: base64 of 32 bytes, and the terminator. */
#define SENS_SIGNATURE_BYTES 45

/**
 * Signs a request: base64 of HMAC-SHA256 over "METHOD path\ntimestamp\naccess key".
 *
 * @method         "GET" or "POST"
 * @path           of the URL as it is sent: path and query, without scheme and host
 * @timestamp_ms   milliseconds since 1970 UTC, as in the header x-ncp-apigw-timestamp
 * @ret_signature  set only when this returns true
 * Returns:        false: no memory; the request must not be sent
 * Context:        any thread
 */
bool sens_sign(const char *secret, const char *method, const char *path, int64_t timestamp_ms, const char *access_key,
               char ret_signature[SENS_SIGNATURE_BYTES]);

#endif
