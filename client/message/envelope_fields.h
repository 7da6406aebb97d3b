#ifndef HERALD_MESSAGE_ENVELOPE_FIELDS_H
#define HERALD_MESSAGE_ENVELOPE_FIELDS_H

/* Field numbers of proto/herald/rpc/v1/envelope.proto, for client and server, which read and write it by hand. */

enum request_field {
    REQUEST_METHOD = 1,
    REQUEST_PAYLOAD = 2,
    REQUEST_TIMEOUT_MS = 3,
    REQUEST_CALL_ID = 4,
    REQUEST_IDEMPOTENCY_KEY = 5,
    REQUEST_METADATA = 6,
    REQUEST_TRACEPARENT = 7,
    REQUEST_AUTH = 8,
    REQUEST_ATTEMPT = 9,
};
enum response_field {
    RESPONSE_CODE = 1,
    RESPONSE_MESSAGE = 2,
    RESPONSE_REASON = 3,
    RESPONSE_DETAILS = 4,
    RESPONSE_PAYLOAD = 5,
    RESPONSE_RETRY_AFTER_MS = 6,
    RESPONSE_METADATA = 7,
    RESPONSE_TIMINGS = 8,
    RESPONSE_DONE = 9,
};
enum metadata_field { METADATA_KEY = 1, METADATA_VALUE = 2 };
enum auth_field { AUTH_SIGNATURE = 1, AUTH_BEARER = 2 };
enum signature_field { SIGNATURE_KEY_ID = 1 };
enum attempt_field { ATTEMPT_NUMBER = 1, ATTEMPT_TICKET = 2, ATTEMPT_WANT_TIMINGS = 3 };

#endif
