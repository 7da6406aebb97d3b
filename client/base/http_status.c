#include "client/base/http_status.h"

/* The status of a reason whose code says too little; 0: its code's. */
static unsigned status_of_reason(enum herald_reason reason) {
    switch (reason) {
    case HERALD_REASON_IDEMPOTENCY_KEY_REUSED:
        return 422; /* draft-ietf-httpapi-idempotency-key-header, 2.7 */
    case HERALD_REASON_MESSAGE_TOO_LARGE:
    case HERALD_REASON_MESSAGE_TOO_BIG:
    case HERALD_REASON_JSON_TOO_LONG:
    case HERALD_REASON_PAYLOAD_TOO_COMPLEX:
        return 413;
    default:
        return 0;
    }
}

static unsigned status_of_code(enum herald_code code) {
    switch (code) {
    case HERALD_OK:
        return 200;
    case HERALD_CANCELLED:
        return 499;
    case HERALD_INVALID_ARGUMENT:
    case HERALD_FAILED_PRECONDITION:
    case HERALD_OUT_OF_RANGE:
        return 400;
    case HERALD_UNAUTHENTICATED:
        return 401;
    case HERALD_PERMISSION_DENIED:
        return 403;
    case HERALD_NOT_FOUND:
        return 404;
    case HERALD_ALREADY_EXISTS:
    case HERALD_ABORTED:
        return 409;
    case HERALD_RESOURCE_EXHAUSTED:
        return 429;
    case HERALD_UNIMPLEMENTED:
        return 501;
    case HERALD_UNAVAILABLE:
        return 503;
    case HERALD_DEADLINE_EXCEEDED:
        return 504;
    case HERALD_UNKNOWN:
    case HERALD_INTERNAL:
    case HERALD_DATA_LOSS:
    case HERALD_OUTCOME_UNKNOWN:
        break;
    }
    return 500;
}

unsigned herald_http_status(enum herald_code code, enum herald_reason reason) {
    unsigned status = status_of_reason(reason);
    return status != 0 ? status : status_of_code(code);
}
