#ifndef HERALD_REASON_H
#define HERALD_REASON_H

/*
 * The one table of reasons: stable upper-case words that tell programs what went wrong, in more detail than a code.
 * Each reason has one code, so that herald_error_set() needs the reason alone.
 *
 * On the wire, in the database and in logs a reason is its word, and a program built with the library knows it by its
 * number. Neither ever changes. A peer may send words that are not in the table; those stay text (struct herald_error).
 * docs/reasons.md shows the table, and the reasons of each method; deploy/regenerate writes that page.
 */
#include "herald/code.h"
#include "herald/decls.h"

#include <stdbool.h>

HERALD_BEGIN_DECLS

/** How far a call had come when it ended with a reason. It decides whether a retry is safe. */
enum herald_reason_stage {
    HERALD_STAGE_REFUSED, /* not begun; a retry is safe for every effect: herald_reason_is_refusal() */
    HERALD_STAGE_BEFORE,  /* not begun; refused by the client or the server, and a retry would be refused again */
    HERALD_STAGE_HANDLER, /* the handler's own answer; its method's policy names the reason (options.proto) */
    HERALD_STAGE_BEGUN,   /* the handler has begun; possible for any method: stores, downstream servers, the reply */
    HERALD_STAGE_EITHER,  /* begun or not: the word alone does not tell; possible for any method */
    HERALD_STAGE_DETAIL,  /* no error by itself: the word of a detail, or of a delivery's result */
    HERALD_STAGE_NO_CALL, /* never the end of a call: settings, start, background work, errors a handler resolves */
};

/* One row for each reason: name, which is also the word; number; code; stage; meaning, a clause for people.
 * A number never changes and is never used again; a new row takes a greater one, wherever it stands in the table.
 * The code is OK for stage DETAIL, and UNKNOWN where it is chosen when the error is made (herald_error_set_code()).
 * Tests pin words and numbers: a row may be added; none is renamed, renumbered or removed. */
#define HERALD_REASONS(X)                                                                                              \
    /* Refused before the handler began, and a repeat is safe for every method (WIRE.md, 9). */                        \
    X(DRAINING, 1, UNAVAILABLE, REFUSED, "the server is about to end and takes no more calls")                         \
    X(TOO_MANY_CALLS, 2, RESOURCE_EXHAUSTED, REFUSED, "the server, or this channel, has its limit of calls in flight") \
    X(TOO_MANY_CALLS_OF_METHOD, 3, RESOURCE_EXHAUSTED, REFUSED, "the server has its limit of calls of this method")    \
    X(TOO_MANY_CALLS_OF_CALLER, 4, RESOURCE_EXHAUSTED, REFUSED, "the server has its limit of calls of one caller")     \
    X(LIMIT_REACHED, 5, RESOURCE_EXHAUSTED, REFUSED, "latency has grown, and as many calls wait as now may")           \
    X(QUEUE_TIMEOUT, 6, RESOURCE_EXHAUSTED, REFUSED, "the call waited for its turn for longer than calls may")         \
    X(TOO_MANY_CONNECTIONS, 7, RESOURCE_EXHAUSTED, REFUSED, "the listener has its limit of connections")               \
    X(SIGNED_BEFORE_START, 8, UNAVAILABLE, REFUSED, "the call was signed before this server began to take calls")      \
    /* Refused while the server read the message. */                                                                   \
    X(MESSAGE_TOO_LARGE, 9, RESOURCE_EXHAUSTED, BEFORE, "the message is larger than the server takes")                 \
    X(MALFORMED_ENVELOPE, 10, INVALID_ARGUMENT, BEFORE, "the message is no Request, or names no method, or two")       \
    X(UNKNOWN_METHOD, 11, UNIMPLEMENTED, BEFORE, "the server does not serve a method of this name")                    \
    X(METHOD_NOT_IMPLEMENTED, 12, UNIMPLEMENTED, BEFORE, "the server has no handler for the method")                   \
    X(MALFORMED_PAYLOAD, 13, INVALID_ARGUMENT, BEFORE, "the payload is not of the method's request type")              \
    X(PAYLOAD_TOO_COMPLEX, 14, RESOURCE_EXHAUSTED, BEFORE, "the message would take too much memory for its length")    \
    X(INVALID_FIELD, 15, INVALID_ARGUMENT, EITHER, "fields break their rules; the details list them all")              \
    X(CANNOT_FINISH_IN_TIME, 16, DEADLINE_EXCEEDED, BEFORE, "less time is left than the quickest call lately took")    \
    X(PROBES_OFF, 17, PERMISSION_DENIED, BEFORE, "plain-text probes are switched off here")                            \
    X(MALFORMED_PROBE, 18, INVALID_ARGUMENT, BEFORE, "the text is no probe")                                           \
    X(INVALID_JSON, 19, INVALID_ARGUMENT, BEFORE, "the JSON is malformed, or does not fit the message's type")         \
    X(JSON_TOO_LONG, 20, RESOURCE_EXHAUSTED, BEFORE, "the JSON is longer than is read")                                \
    /* Credentials (WIRE.md, 11). */                                                                                   \
    X(CREDENTIAL_MISSING, 21, UNAUTHENTICATED, BEFORE, "the method needs a credential and the call has none")          \
    X(NO_CALLERS, 22, UNAUTHENTICATED, BEFORE, "the call has a credential and the server knows no callers")            \
    X(BAD_CREDENTIAL, 23, UNAUTHENTICATED, BEFORE, "the key is unknown, or the signature does not fit")                \
    X(CLOCK_SKEW, 24, UNAUTHENTICATED, BEFORE, "the call was signed too far from the server's clock")                  \
    X(REPLAYED, 25, UNAUTHENTICATED, BEFORE, "a call with this nonce was taken before")                                \
    X(BAD_TOKEN, 26, UNAUTHENTICATED, BEFORE, "the bearer token is malformed, forged, or from the future")             \
    X(TOKEN_EXPIRED, 27, UNAUTHENTICATED, BEFORE, "the bearer token's time is over")                                   \
    X(NONCES_FULL, 28, RESOURCE_EXHAUSTED, BEFORE, "more signed calls came than the server can remember")              \
    X(METHOD_NOT_ALLOWED, 29, PERMISSION_DENIED, BEFORE, "the caller may not call the method")                         \
    X(USER_NOT_ALLOWED, 30, PERMISSION_DENIED, BEFORE, "the caller may not act for the user")                          \
    X(USER_MISSING, 31, PERMISSION_DENIED, BEFORE, "the method acts for a user and the credential names none")         \
    X(NOT_YOUR_USER, 32, PERMISSION_DENIED, BEFORE, "the request names another user than the credential")              \
    X(CALLER_NOT_A_SERVER, 440, PERMISSION_DENIED, BEFORE, "the method is for Herald's own servers")                   \
    X(CALLER_NOT_AN_OPERATOR, 441, PERMISSION_DENIED, BEFORE, "the method is for operators and Herald's own servers")  \
    /* Ends and memory of a call, before its handler or in it. */                                                      \
    X(DEADLINE_EXCEEDED, 33, DEADLINE_EXCEEDED, EITHER, "the call's time is over")                                     \
    X(CANCELLED, 34, CANCELLED, EITHER, "the call was cancelled; with UNAVAILABLE, by the server's end")               \
    X(WAIT_TIMEOUT, 35, DEADLINE_EXCEEDED, BEGUN, "a wait took longer than its own limit")                             \
    X(ARENA_FULL, 36, RESOURCE_EXHAUSTED, EITHER, "the memory of one call is used up")                                 \
    X(OUT_OF_MEMORY, 37, RESOURCE_EXHAUSTED, EITHER, "no memory, of the process or of the call")                       \
    X(NO_STACK, 38, RESOURCE_EXHAUSTED, EITHER, "no memory for the stack of a task")                                   \
    X(FAILPOINT, 39, UNKNOWN, EITHER, "a failpoint was told to fail; the code is the one it was told")                 \
    X(METADATA, 40, INVALID_ARGUMENT, EITHER, "a pair of the reply's metadata breaks its rules")                       \
    X(TOO_MUCH_METADATA, 41, RESOURCE_EXHAUSTED, EITHER, "a reply has more pairs of metadata than it may")             \
    X(OFFLOAD, 42, RESOURCE_EXHAUSTED, BEGUN, "work cannot be started on a thread")                                    \
    /* After the handler: its reply cannot be sent. */                                                                 \
    X(RESPONSE_TOO_LARGE, 43, RESOURCE_EXHAUSTED, BEGUN, "the reply is larger than the server sends")                  \
    X(MALFORMED_RESPONSE, 44, INTERNAL, BEGUN, "a server made a response that breaks its schema")                      \
    X(NOT_JSON, 45, INVALID_ARGUMENT, BEGUN, "a message has no form in JSON")                                          \
    /* ONCE calls and their idempotency keys. */                                                                       \
    X(IDEMPOTENCY_KEY_REUSED, 46, INVALID_ARGUMENT, HANDLER, "the key was used for another request of the method")     \
    X(NO_STORED_REPLY, 47, NOT_FOUND, HANDLER, "no reply is stored under the key")                                     \
    X(STORED_REPLY_UNREADABLE, 48, DATA_LOSS, HANDLER, "the reply stored under the key cannot be read")                \
    /* EventService. */                                                                                                \
    X(EVENT_NOT_FOUND, 49, NOT_FOUND, HANDLER, "there is no such event, or it is another user's")                      \
    X(WRONG_STATE, 50, FAILED_PRECONDITION, HANDLER, "the event is in a state that does not allow this")               \
    X(BAD_PAGE_TOKEN, 51, INVALID_ARGUMENT, HANDLER, "the page token is none that ListEvents gave")                    \
    X(RECOMMENDATION_NOT_SELECTED, 52, FAILED_PRECONDITION, HANDLER, "the draft has no recommendation yet")            \
    X(NOT_PUBLISH_READY, 53, FAILED_PRECONDITION, HANDLER, "the draft lacks what the details list")                    \
    X(CHANNELS_FIXED, 54, FAILED_PRECONDITION, HANDLER, "the event is approved for other channels")                    \
    X(DISTRIBUTION_UNAVAILABLE, 55, UNAVAILABLE, NO_CALL, "the delivery did not end; it goes on in the background")    \
    X(DISTRIBUTION_TIMEOUT, 56, DEADLINE_EXCEEDED, NO_CALL, "the call's time ended before the delivery; it goes on")   \
    X(DISTRIBUTION_CANCELLED, 57, CANCELLED, NO_CALL, "the call was cancelled during the delivery, which goes on")     \
    X(PERIOD_OVER, 230, FAILED_PRECONDITION, HANDLER, "the period of the event is over")                               \
    X(PUBLISH_UNFINISHED, 231, UNAVAILABLE, NO_CALL, "the event is APPROVED; the rest goes on in the background")      \
    X(NO_LEASE, 232, UNAVAILABLE, HANDLER, "the server has no lease in the database, so it begins no work")            \
    X(SCHEDULE_FIXED, 234, FAILED_PRECONDITION, HANDLER, "the event is approved for another instant")                  \
    X(BREAKER_OPEN, 58, UNAVAILABLE, NO_CALL, "the circuit breaker keeps calls from a server that fails")              \
    X(STORED_RESULT_UNREADABLE, 59, DATA_LOSS, HANDLER, "the stored result of the event cannot be read")               \
    X(MALFORMED_REPLY, 60, INTERNAL, EITHER, "a peer's reply cannot be read")                                          \
    /* JobService and the pictures of a job. */                                                                        \
    X(JOB_NOT_FOUND, 61, NOT_FOUND, HANDLER, "there is no such job, or it is not this draft's")                        \
    X(JOB_NOT_COMPLETED, 62, FAILED_PRECONDITION, HANDLER, "the job is not completed yet")                             \
    X(PICTURE_NOT_FOUND, 63, NOT_FOUND, HANDLER, "the job made no picture in this style")                              \
    X(PICTURES_MISSING, 64, FAILED_PRECONDITION, HANDLER, "a job is completed only with its three pictures")           \
    X(JOB_NOT_FAILED, 540, FAILED_PRECONDITION, HANDLER, "only a failed job begins anew, and this one has not failed") \
    X(JOB_RECORD_GONE, 541, FAILED_PRECONDITION, HANDLER, "the job's record was not kept, so it cannot begin anew")    \
    /* DistributionService. */                                                                                         \
    X(DISTRIBUTION_NOT_FOUND, 65, NOT_FOUND, HANDLER, "the event was never distributed")                               \
    X(DELIVERY_NOT_FOUND, 66, NOT_FOUND, HANDLER, "the event has no delivery to the channel")                          \
    X(CONTENT_FIXED, 480, FAILED_PRECONDITION, HANDLER, "the event is being distributed with another content")         \
    X(NOTHING_LEFT_TO_SEND, 481, FAILED_PRECONDITION, HANDLER, "each delivery is sent, on its way or over")            \
    X(NOT_AWAITING_OPERATOR, 482, FAILED_PRECONDITION, HANDLER, "no person is to post the delivery by hand")           \
    X(OUTCOME_KNOWN, 483, FAILED_PRECONDITION, HANDLER, "the delivery's outcome is not in question")                   \
    X(TOO_LITTLE_TIME, 67, DEADLINE_EXCEEDED, HANDLER, "too little of the call's time is left for the channels")       \
    X(STORED_CONTENT_UNREADABLE, 68, DATA_LOSS, HANDLER, "the stored content of the distribution cannot be read")      \
    /* Health, Reflection, Introspection. */                                                                           \
    X(UNKNOWN_SERVICE, 69, NOT_FOUND, HANDLER, "the server does not serve a service of this name")                     \
    X(METHOD_NOT_FOUND, 70, NOT_FOUND, HANDLER, "there is no method of the name that is asked about")                  \
    X(NO_SUCH_NAME, 71, NOT_FOUND, HANDLER, "the schema has no element of this name")                                  \
    X(AMBIGUOUS_NAME, 72, INVALID_ARGUMENT, HANDLER, "the name may be one of several")                                 \
    X(UNKNOWN_FAILPOINT, 73, NOT_FOUND, HANDLER, "there is no failpoint of this name")                                 \
    X(NO_ACTION, 74, INVALID_ARGUMENT, HANDLER, "the text is no action of a failpoint")                                \
    X(ACTION_NOT_HERE, 75, INVALID_ARGUMENT, HANDLER, "the failpoint does not take this action")                       \
    X(COMPILED_OUT, 76, UNIMPLEMENTED, HANDLER, "this build has no fault injection")                                   \
    /* A server that the handler called refused its call; the handler's own has begun. */                              \
    X(DOWNSTREAM_DRAINING, 77, UNAVAILABLE, BEGUN, "the called server is about to end and takes no more calls")        \
    X(DOWNSTREAM_TOO_MANY_CALLS, 78, RESOURCE_EXHAUSTED, BEGUN, "the called server's limit of calls in flight")        \
    X(DOWNSTREAM_TOO_MANY_CALLS_OF_METHOD, 79, RESOURCE_EXHAUSTED, BEGUN, "the called server's limit for the method")  \
    X(DOWNSTREAM_TOO_MANY_CALLS_OF_CALLER, 80, RESOURCE_EXHAUSTED, BEGUN, "the called server's limit for one caller")  \
    X(DOWNSTREAM_LIMIT_REACHED, 81, RESOURCE_EXHAUSTED, BEGUN, "as many calls wait at the called server as now may")   \
    X(DOWNSTREAM_QUEUE_TIMEOUT, 82, RESOURCE_EXHAUSTED, BEGUN, "the call waited too long at the called server")        \
    X(DOWNSTREAM_TOO_MANY_CONNECTIONS, 83, RESOURCE_EXHAUSTED, BEGUN, "the called server's limit of connections")      \
    X(DOWNSTREAM_SIGNED_BEFORE_START, 84, UNAVAILABLE, BEGUN, "the called server began after the call was signed")     \
    /* Postgres. */                                                                                                    \
    X(DATABASE_UNAVAILABLE, 85, UNAVAILABLE, BEGUN, "the database cannot be reached, or is not ready")                 \
    X(DATABASE_QUEUE_FULL, 86, RESOURCE_EXHAUSTED, BEGUN, "too many statements wait for the database")                 \
    X(DATABASE_OUTCOME_UNKNOWN, 87, OUTCOME_UNKNOWN, BEGUN, "the change may have been committed; the answer was lost") \
    X(DATABASE_ERROR, 88, INTERNAL, BEGUN, "the database refused a statement")                                         \
    /* Redis. */                                                                                                       \
    X(REDIS_UNAVAILABLE, 89, UNAVAILABLE, BEGUN, "Redis cannot be reached, or did not answer")                         \
    X(REDIS_NO_KEY, 90, NOT_FOUND, BEGUN, "Redis has no such key")                                                     \
    X(REDIS_SUBSCRIBED, 91, ALREADY_EXISTS, BEGUN, "the connection has a subscription already")                        \
    X(NO_SHA1, 92, INTERNAL, BEGUN, "libcrypto does not compute SHA-1")                                                \
    /* Kafka. */                                                                                                       \
    X(KAFKA_UNAVAILABLE, 93, UNAVAILABLE, BEGUN, "Kafka cannot be reached, or did not take the record")                \
    X(KAFKA_QUEUE_FULL, 94, UNAVAILABLE, BEGUN, "the queue of records to Kafka is full")                               \
    X(KAFKA_RECORD_REFUSED, 95, INVALID_ARGUMENT, BEGUN, "Kafka refuses the record for good")                          \
    X(KAFKA_OUTCOME_UNKNOWN, 96, OUTCOME_UNKNOWN, BEGUN, "the record may be in Kafka; no acknowledgement came")        \
    X(KAFKA_TOPIC_UNAVAILABLE, 97, UNAVAILABLE, BEGUN, "Kafka does not serve the topic")                               \
    X(KAFKA_STALLED, 530, UNAVAILABLE, NO_CALL, "Kafka serves, but a consumer gets no records; it is opened anew")     \
    /* HTTP to the channels. */                                                                                        \
    X(HTTP_UNREACHABLE, 98, UNAVAILABLE, BEGUN, "nothing of the request was sent")                                     \
    X(HTTP_NO_MEMORY, 99, UNAVAILABLE, BEGUN, "no memory to send a request; nothing was sent")                         \
    X(HTTP_TIMEOUT, 100, OUTCOME_UNKNOWN, BEGUN, "the request was sent, and no answer came in time")                   \
    X(HTTP_LOST, 101, OUTCOME_UNKNOWN, BEGUN, "the request was sent, and the answer was lost")                         \
    X(HTTP_RESPONSE_TOO_BIG, 102, RESOURCE_EXHAUSTED, BEGUN, "the answer is longer than is read")                      \
    X(HTTP_NO_DESCRIPTORS, 410, UNAVAILABLE, BEGUN, "no file descriptor for a connection; nothing was sent")           \
    X(HTTP_TLS_FAILED, 411, UNAVAILABLE, BEGUN, "no TLS with the peer, or it is not trusted; nothing was sent")        \
    /* Errors that a handler resolves: it reads again, or returns the reply of the faster call. */                     \
    X(IDEMPOTENCY_KEY_EXISTS, 103, ALREADY_EXISTS, NO_CALL, "the key is taken by another attempt or another call")     \
    X(EVENT_MOVED, 104, ABORTED, NO_CALL, "another call changed the event meanwhile")                                  \
    X(EVENT_LEASED, 105, ABORTED, NO_CALL, "another call is publishing the event")                                     \
    X(DELIVERY_MOVED, 106, ABORTED, NO_CALL, "another call has taken over the delivery")                               \
    X(ROUND_COMPLETED, 107, ABORTED, NO_CALL, "the round of deliveries is completed")                                  \
    /* Background work: outbox and image jobs. */                                                                      \
    X(OUTBOX_KIND, 108, INTERNAL, NO_CALL, "an outbox row is of a kind that this server does not send")                \
    X(JOB_FAILED, 109, ABORTED, NO_CALL, "the job has failed for another reason")                                      \
    X(CONTENT_TYPE, 110, INVALID_ARGUMENT, NO_CALL, "the record is in a format that cannot be read")                   \
    X(EVENT_TYPE, 111, INVALID_ARGUMENT, NO_CALL, "the record is an event of another type")                            \
    X(NO_VALUE, 112, INVALID_ARGUMENT, NO_CALL, "the record has no value")                                             \
    X(NO_JOB, 113, INTERNAL, NO_CALL, "the job service answered without a job")                                        \
    X(DRAWING, 114, INTERNAL, NO_CALL, "a picture cannot be drawn")                                                    \
    X(NO_HANGUL_FONT, 115, FAILED_PRECONDITION, NO_CALL, "no installed font has Hangul")                               \
    X(INVALID_UTF8, 116, INVALID_ARGUMENT, NO_CALL, "text is not UTF-8; also a field's word in details")               \
    X(PNG_ENCODER, 117, INTERNAL, NO_CALL, "the PNG encoder failed")                                                   \
    X(JPEG_ENCODER, 118, INTERNAL, NO_CALL, "the JPEG encoder failed")                                                 \
    X(PICTURE_TOO_BIG, 119, RESOURCE_EXHAUSTED, NO_CALL, "the picture is larger than channels take")                   \
    X(PICTURE_NOT_STORED, 120, UNAVAILABLE, NO_CALL, "the picture's file cannot be written")                           \
    /* Errors that the client library itself makes; no reply has them. */                                              \
    X(NOT_CONNECTED, 121, UNAVAILABLE, BEFORE, "no connection within the time for that")                               \
    X(NAME_NOT_FOUND, 122, UNAVAILABLE, BEFORE, "the host name cannot be looked up")                                   \
    X(SEND_FAILED, 123, UNAVAILABLE, BEFORE, "the transport did not take the message")                                 \
    X(NOT_SENT_IN_TIME, 124, DEADLINE_EXCEEDED, BEFORE, "the deadline came before the message could be sent")          \
    X(NO_REPLY_IN_TIME, 125, DEADLINE_EXCEEDED, EITHER, "the deadline came before the reply did")                      \
    X(CONNECTION_LOST, 126, UNAVAILABLE, EITHER, "the connection was lost before the reply came")                      \
    X(CHANNEL_CLOSED, 127, CANCELLED, BEFORE, "the channel is being closed")                                           \
    X(REFUSED, 128, UNKNOWN, BEFORE, "an interceptor of the client refused the call, with a code of its own")          \
    X(MESSAGE_TOO_BIG, 129, RESOURCE_EXHAUSTED, BEFORE, "the message is larger than the channel sends")                \
    X(NOT_SIGNED, 130, RESOURCE_EXHAUSTED, BEFORE, "libcrypto could not sign the call")                                \
    X(INVALID_REQUEST, 131, INVALID_ARGUMENT, BEFORE, "the request is not of the method's type, or a list has NULL")   \
    X(INVALID_ACTING_USER, 132, INVALID_ARGUMENT, BEFORE, "the user for whom the call acts is no token")               \
    X(INVALID_IDEMPOTENCY_KEY, 133, INVALID_ARGUMENT, BEFORE, "the idempotency key is no token")                       \
    /* The client's options. */                                                                                        \
    X(INVALID_URL, 134, INVALID_ARGUMENT, NO_CALL, "the text is no URL that can be called")                            \
    X(INVALID_KEY, 135, INVALID_ARGUMENT, NO_CALL, "the key to sign with is malformed")                                \
    X(INVALID_KEY_ID, 136, INVALID_ARGUMENT, NO_CALL, "the id of the key to sign with is malformed")                   \
    X(INVALID_TOKEN, 137, INVALID_ARGUMENT, NO_CALL, "the bearer token to send is malformed")                          \
    X(TLS_OPTIONS_MISSING, 138, INVALID_ARGUMENT, NO_CALL, "TLS needs files that the options do not name")             \
    X(TLS_FILE_REFUSED, 139, INVALID_ARGUMENT, NO_CALL, "a file for TLS is not what it should be")                     \
    X(FILE_UNREADABLE, 140, INVALID_ARGUMENT, NO_CALL, "a file of the options cannot be read")                         \
    X(KEY_EXPOSED, 141, INVALID_ARGUMENT, NO_CALL, "a file with a key may be read by others than its owner")           \
    X(NO_TLS, 142, RESOURCE_EXHAUSTED, NO_CALL, "a TLS configuration cannot be made")                                  \
    X(NO_SOCKET, 143, RESOURCE_EXHAUSTED, NO_CALL, "a socket cannot be made")                                          \
    X(NO_THREAD, 144, RESOURCE_EXHAUSTED, NO_CALL, "a thread cannot be started")                                       \
    X(UNKNOWN_TYPE, 145, INTERNAL, NO_CALL, "a field is of a type that the JSON reader does not know")                 \
    /* Start of a server. */                                                                                           \
    X(BAD_SETTINGS, 146, INVALID_ARGUMENT, NO_CALL, "the settings have problems; the details list them")               \
    X(BAD_CALLERS, 147, INVALID_ARGUMENT, NO_CALL, "the callers file has problems; the details list them")             \
    X(CALLERS_FILE_MISSING, 148, INVALID_ARGUMENT, NO_CALL, "credentials are required and no callers file is set")     \
    X(BAD_CREDENTIAL_SETTINGS, 149, INVALID_ARGUMENT, NO_CALL, "of key id and key file one is set alone")              \
    X(BAD_DSN, 150, INVALID_ARGUMENT, NO_CALL, "the connection string is none of libpq")                               \
    X(BAD_BREAKER, 151, INVALID_ARGUMENT, NO_CALL, "the settings of a circuit breaker do not fit together")            \
    X(BAD_URL, 152, INVALID_ARGUMENT, NO_CALL, "the text is no URL that can be used here")                             \
    X(BAD_WEBHOOK_SECRET, 153, INVALID_ARGUMENT, NO_CALL, "the secret of the webhooks is malformed")                   \
    X(BAD_CERTIFICATE, 154, INVALID_ARGUMENT, NO_CALL, "certificate or key cannot be used")                            \
    X(NO_CERTIFICATE, 155, INVALID_ARGUMENT, NO_CALL, "a TLS listener needs a certificate")                            \
    X(UNREADABLE, 156, INVALID_ARGUMENT, NO_CALL, "a file cannot be read")                                             \
    X(READABLE_BY_OTHERS, 157, INVALID_ARGUMENT, NO_CALL, "a file with secrets may be used by others than its owner")  \
    X(BAD_KEY, 158, INVALID_ARGUMENT, NO_CALL, "a key is no base64 of enough bytes")                                   \
    X(INSECURE_LISTENER, 159, PERMISSION_DENIED, NO_CALL, "the listener would be open to strangers")                   \
    X(ADDRESS_IN_USE, 160, FAILED_PRECONDITION, NO_CALL, "another program listens on the address")                     \
    X(CANNOT_LISTEN, 161, UNAVAILABLE, NO_CALL, "the address cannot be listened on")                                   \
    X(TOO_MANY_LISTENERS, 162, RESOURCE_EXHAUSTED, NO_CALL, "a server has its limit of listeners")                     \
    X(TOO_MANY_SERVICES, 163, RESOURCE_EXHAUSTED, NO_CALL, "a server has its limit of services")                       \
    X(TOO_MANY_COMPONENTS, 164, RESOURCE_EXHAUSTED, NO_CALL, "a server has its limit of components of its health")     \
    X(TOO_MANY_INTERCEPTORS, 165, RESOURCE_EXHAUSTED, NO_CALL, "a server has its limit of interceptors")               \
    X(SERVICE_ADDED, 166, ALREADY_EXISTS, NO_CALL, "the service is served already")                                    \
    X(HERALD_FAILPOINT, 167, INVALID_ARGUMENT, NO_CALL, "the variable HERALD_FAILPOINT is no name:action")             \
    X(LOOP_INIT, 168, RESOURCE_EXHAUSTED, NO_CALL, "an event loop cannot be made")                                     \
    X(NO_HANDLES, 169, RESOURCE_EXHAUSTED, NO_CALL, "the system gives no handles for the database pool")               \
    X(REDIS_URL, 170, INVALID_ARGUMENT, NO_CALL, "the Redis URL is malformed")                                         \
    X(KAFKA_CLIENT, 171, RESOURCE_EXHAUSTED, NO_CALL, "a Kafka client cannot be made")                                 \
    X(KAFKA_SETTING, 172, INVALID_ARGUMENT, NO_CALL, "the Kafka client refuses a setting")                             \
    X(KAFKA_TOPIC, 173, INVALID_ARGUMENT, NO_CALL, "a Kafka topic cannot be subscribed to")                            \
    X(CONTENT_DIR, 174, FAILED_PRECONDITION, NO_CALL, "the folder for pictures cannot be used")                        \
    /* Migrations. */                                                                                                  \
    X(MIGRATION_FAILED, 175, INTERNAL, NO_CALL, "the database refused a migration")                                    \
    X(MIGRATION_CHANGED, 176, FAILED_PRECONDITION, NO_CALL, "a migration's file has changed since it was applied")     \
    X(MIGRATION_GAP, 177, FAILED_PRECONDITION, NO_CALL, "the table of applied migrations was edited")                  \
    X(SCHEMA_NEWER, 178, FAILED_PRECONDITION, NO_CALL, "the schema is newer than this build")                          \
    /* heraldctl and the demo. */                                                                                      \
    X(USAGE, 179, INVALID_ARGUMENT, NO_CALL, "the command line is not complete")                                       \
    X(ONE_OF, 180, INVALID_ARGUMENT, NO_CALL, "two options exclude each other")                                        \
    X(TOO_LONG, 181, INVALID_ARGUMENT, NO_CALL, "the input is longer than is read; also a field's word in details")    \
    X(INPUT_NOT_FOUND, 182, NOT_FOUND, NO_CALL, "the file of the input cannot be opened")                              \
    X(CUT_OFF, 183, INVALID_ARGUMENT, NO_CALL, "the input ends in the middle of a message")                            \
    X(SERVICE_NOT_FOUND, 184, NOT_FOUND, NO_CALL, "there is no service of this name")                                  \
    X(NO_TOKEN, 185, INVALID_ARGUMENT, NO_CALL, "the file holds no token")                                             \
    X(NO_KEY, 186, INVALID_ARGUMENT, NO_CALL, "there is no key to sign with")                                          \
    X(BAD_KEY_ID, 187, INVALID_ARGUMENT, NO_CALL, "the text is no id of a key")                                        \
    X(BAD_CLAIM, 188, INVALID_ARGUMENT, NO_CALL, "a token cannot say this")                                            \
    X(UNKNOWN_CALLER, 189, INVALID_ARGUMENT, NO_CALL, "the callers file has no caller of this name")                   \
    X(NO_PICTURES, 190, ABORTED, NO_CALL, "the demo's job has made no pictures")                                       \
    /* Details: what is wrong with a field. */                                                                         \
    X(REQUIRED, 191, OK, DETAIL, "must be set")                                                                        \
    X(NOT_ALLOWED, 192, OK, DETAIL, "must not be set, or not to this")                                                 \
    X(TOO_SHORT, 193, OK, DETAIL, "is shorter than its rule")                                                          \
    X(TOO_MANY, 194, OK, DETAIL, "has more items than its rule")                                                       \
    X(OUT_OF_RANGE, 195, OK, DETAIL, "lies outside its bounds")                                                        \
    X(UNKNOWN_VALUE, 196, OK, DETAIL, "is no value of its enum")                                                       \
    X(INVALID_FORMAT, 197, OK, DETAIL, "is not in its format")                                                         \
    X(MALFORMED, 198, OK, DETAIL, "cannot be read as its type")                                                        \
    X(DUPLICATE, 199, OK, DETAIL, "names an item twice")                                                               \
    X(NOT_SET, 200, OK, DETAIL, "a setting is missing")                                                                \
    /* Details: what is wrong in a file of settings or callers. */                                                     \
    X(SYNTAX, 201, OK, DETAIL, "the line is not understood")                                                           \
    X(LINE_TOO_LONG, 202, OK, DETAIL, "the line is longer than is read")                                               \
    X(NO_SECTION, 203, OK, DETAIL, "the key stands before any section")                                                \
    X(BAD_SECTION, 204, OK, DETAIL, "the section's name is malformed")                                                 \
    X(UNKNOWN_SECTION, 205, OK, DETAIL, "there is no section of this name")                                            \
    X(UNKNOWN_KEY, 206, OK, DETAIL, "there is no key of this name")                                                    \
    X(DUPLICATE_KEY, 207, OK, DETAIL, "the key was set before")                                                        \
    X(DUPLICATE_CALLER, 208, OK, DETAIL, "the caller was named before")                                                \
    X(UNKNOWN_VARIABLE, 209, OK, DETAIL, "the environment variable is no setting")                                     \
    X(BAD_VALUE, 210, OK, DETAIL, "the value is not of the setting's type")                                            \
    X(BAD_TOPIC, 211, OK, DETAIL, "the value is no name of a Kafka topic")                                             \
    X(BAD_ENDPOINT, 212, OK, DETAIL, "the value is no host:port")                                                      \
    X(BAD_SECRET, 213, OK, DETAIL, "the value is no secret of webhooks")                                               \
    X(CONFLICT, 214, OK, DETAIL, "two settings do not fit together")                                                   \
    X(NO_METHODS, 215, OK, DETAIL, "the caller may call no method")                                                    \
    X(BAD_TIME, 484, OK, DETAIL, "is no time that can be used")                                                        \
    /* A step of a timeline. */                                                                                        \
    X(PROCESS_ENDED, 542, OK, DETAIL, "the process that took the step ended before it told how the step ended")        \
    /* Results of a delivery to a channel. */                                                                          \
    X(CHANNEL_NEEDS_AUTH, 216, OK, DETAIL, "the channel refused signature, credentials or account")                    \
    X(CHANNEL_DISABLED, 217, OK, DETAIL, "the channel has switched this webhook off")                                  \
    X(CHANNEL_TIMEOUT, 218, OK, DETAIL, "the channel did not answer in time")                                          \
    X(CHANNEL_THROTTLED, 219, OK, DETAIL, "the channel takes no more posts for now")                                   \
    X(CHANNEL_UNAVAILABLE, 220, OK, DETAIL, "the channel is out of service for now")                                   \
    X(CHANNEL_REJECTED, 221, OK, DETAIL, "the channel refused the post for good")                                      \
    X(CHANNEL_ERROR, 222, OK, DETAIL, "the channel failed while it had the post")                                      \
    X(CHANNEL_REDIRECTED, 223, OK, DETAIL, "the channel answered with a redirect")                                     \
    X(CHANNEL_UNREACHABLE, 224, OK, DETAIL, "nothing was sent to the channel")                                         \
    X(CHANNEL_LOST, 225, OK, DETAIL, "the channel's answer was lost")                                                  \
    X(CHANNEL_WORKING, 226, OK, DETAIL, "the channel has the post and has not decided")                                \
    X(NOT_ACCEPTED, 227, OK, DETAIL, "the channel did not accept the earlier post")                                    \
    X(LOOK_UP_FAILED, 228, OK, DETAIL, "the channel does not say what became of the post")                             \
    X(NOT_SENT, 229, OK, DETAIL, "the post could not be made")                                                         \
    X(QUIET_HOURS, 485, OK, DETAIL, "the channel takes no advertising at night")                                       \
    X(CHANNEL_PAUSED, 486, OK, DETAIL, "nothing is sent to the channel for now")                                       \
    X(CHANNEL_NOT_CONFIGURED, 487, OK, DETAIL, "the channel's settings are not complete")                              \
    X(CHANNEL_BUSY, 488, OK, DETAIL, "as many posts as may be are on their way to the channel")                        \
    X(CHANNEL_FAILING, 497, OK, DETAIL, "the channel has failed too often; it is tried again soon")                    \
    X(AWAITING_OPERATOR, 492, OK, DETAIL, "a person is to post it by hand")                                            \
    X(CONTENT_INVALID, 493, OK, DETAIL, "the channel would not take the content")                                      \
    X(GIVEN_UP, 494, OK, DETAIL, "a person decided that it is not sent")                                               \
    X(QUOTA, 495, OK, DETAIL, "the channel's quota of posts is used up for now")                                       \
    X(PREPARING_FAILED, 496, OK, DETAIL, "what was prepared at the channel cannot be used; it is prepared anew")       \
    X(SCHEDULED, 233, OK, DETAIL, "the delivery begins at the instant that was chosen for it")                         \
    X(PICTURE_REFUSED, 500, OK, DETAIL, "the channel does not take the picture")                                       \
    X(PICTURE_UNREACHABLE, 501, OK, DETAIL, "the channel could not fetch the picture")                                 \
    X(ACCOUNT_RESTRICTED, 502, OK, DETAIL, "the channel has restricted the account")                                   \
    X(KEY_REPEATED, 505, OK, DETAIL, "the channel has the post's key already and does not say what became of it")

enum herald_reason {
    HERALD_REASON_NONE = 0, /* no reason, or a word that is not in the table */
#define HERALD_REASON_ENUM(name, number, code, stage, meaning) HERALD_REASON_##name = number,
    HERALD_REASONS(HERALD_REASON_ENUM)
#undef HERALD_REASON_ENUM
};

/** How many reasons there are, NONE not counted. */
#define HERALD_REASON_COUNT 261
/** The greatest number of a reason. Numbers between 1 and this may be unused. */
#define HERALD_REASON_LAST 542

/** The word of a reason, "DRAINING"; "" for NONE and for a number that is no reason. Never NULL; static. */
const char *herald_reason_name(enum herald_reason reason);
/**
 * The reason of a word.
 *
 * @word     as it came over the wire; may be NULL
 * Returns:  HERALD_REASON_NONE when the table does not have it
 * Context:  any thread
 */
enum herald_reason herald_reason_find(const char *word);
/** The code of a reason. Returns: the table's; HERALD_OK for NONE and for stage DETAIL. */
enum herald_code herald_reason_code(enum herald_reason reason);
/** How far a call had come; HERALD_STAGE_EITHER for NONE. */
enum herald_reason_stage herald_reason_stage(enum herald_reason reason);
/** What a reason means, a clause for people without a full stop; "" for NONE. Static. */
const char *herald_reason_meaning(enum herald_reason reason);
/**
 * The word with which a handler passes a refusal on: DRAINING of a server that it called becomes DOWNSTREAM_DRAINING,
 * as the handler's own call has begun.
 *
 * Returns:  HERALD_REASON_NONE when @reason is no refusal
 */
enum herald_reason herald_reason_downstream(enum herald_reason reason);
/** Whether @reason is one with which a handler passes a refusal on: herald_reason_downstream() of some refusal. */
bool herald_reason_is_passed_on(enum herald_reason reason);
/**
 * Whether a server gives this reason only before the handler begins, so that a retry is safe for every method: the list
 * in proto/WIRE.md, 9, and no more.
 */
bool herald_reason_is_refusal(enum herald_reason reason);

HERALD_END_DECLS

#endif
