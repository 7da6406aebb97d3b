#ifndef HERALD_REASON_H
#define HERALD_REASON_H

/*
 * The one table of reasons: stable upper-case words that tell programs what went wrong, in more detail than a code.
 * Each reason has one code, so that herald_error_set() needs the reason alone.
 *
 * On the wire, in the database and in logs a reason is its word. A word never changes; the enum's numbers may change
 * with each build. A peer may send words that are not in the table; those stay text (struct herald_error).
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

/* One row for each reason: name, which is also the word; code; stage; meaning, a clause for people.
 * The code is OK for stage DETAIL, and UNKNOWN where it is chosen when the error is made (herald_error_set_code()).
 * Wire words are pinned by proto/WIRE.md and the tests: a row may be added, none renamed. */
#define HERALD_REASONS(X)                                                                                              \
    /* Refused before the handler began, and a repeat is safe for every method (WIRE.md, 9). */                        \
    X(DRAINING, UNAVAILABLE, REFUSED, "the server is about to end and takes no more calls")                            \
    X(TOO_MANY_CALLS, RESOURCE_EXHAUSTED, REFUSED, "the server, or this channel, has its limit of calls in flight")    \
    X(TOO_MANY_CALLS_OF_METHOD, RESOURCE_EXHAUSTED, REFUSED, "the server has its limit of calls of this method")       \
    X(TOO_MANY_CALLS_OF_CALLER, RESOURCE_EXHAUSTED, REFUSED, "the server has its limit of calls of one caller")        \
    X(LIMIT_REACHED, RESOURCE_EXHAUSTED, REFUSED, "latency has grown, and as many calls wait as now may")              \
    X(QUEUE_TIMEOUT, RESOURCE_EXHAUSTED, REFUSED, "the call waited for its turn for longer than calls may")            \
    X(TOO_MANY_CONNECTIONS, RESOURCE_EXHAUSTED, REFUSED, "the listener has its limit of connections")                  \
    X(SIGNED_BEFORE_START, UNAVAILABLE, REFUSED, "the call was signed before this server began to take calls")         \
    /* Refused while the server read the message. */                                                                   \
    X(MESSAGE_TOO_LARGE, RESOURCE_EXHAUSTED, BEFORE, "the message is larger than the server takes")                    \
    X(MALFORMED_ENVELOPE, INVALID_ARGUMENT, BEFORE, "the message is no Request, or names no method, or two")           \
    X(UNKNOWN_METHOD, UNIMPLEMENTED, BEFORE, "the server does not serve a method of this name")                        \
    X(METHOD_NOT_IMPLEMENTED, UNIMPLEMENTED, BEFORE, "the server has no handler for the method")                       \
    X(MALFORMED_PAYLOAD, INVALID_ARGUMENT, BEFORE, "the payload is not of the method's request type")                  \
    X(PAYLOAD_TOO_COMPLEX, RESOURCE_EXHAUSTED, BEFORE, "the message would take too much memory for its length")        \
    X(INVALID_FIELD, INVALID_ARGUMENT, EITHER, "fields break their rules; the details list them all")                  \
    X(CANNOT_FINISH_IN_TIME, DEADLINE_EXCEEDED, BEFORE, "less time is left than the quickest call lately took")        \
    X(PROBES_OFF, PERMISSION_DENIED, BEFORE, "plain-text probes are switched off here")                                \
    X(MALFORMED_PROBE, INVALID_ARGUMENT, BEFORE, "the text is no probe")                                               \
    X(INVALID_JSON, INVALID_ARGUMENT, BEFORE, "the JSON is malformed, or does not fit the message's type")             \
    X(JSON_TOO_LONG, RESOURCE_EXHAUSTED, BEFORE, "the JSON is longer than is read")                                    \
    /* Credentials (WIRE.md, 11). */                                                                                   \
    X(CREDENTIAL_MISSING, UNAUTHENTICATED, BEFORE, "the method needs a credential and the call has none")              \
    X(NO_CALLERS, UNAUTHENTICATED, BEFORE, "the call has a credential and the server knows no callers")                \
    X(BAD_CREDENTIAL, UNAUTHENTICATED, BEFORE, "the key is unknown, or the signature does not fit")                    \
    X(CLOCK_SKEW, UNAUTHENTICATED, BEFORE, "the call was signed too far from the server's clock")                      \
    X(REPLAYED, UNAUTHENTICATED, BEFORE, "a call with this nonce was taken before")                                    \
    X(BAD_TOKEN, UNAUTHENTICATED, BEFORE, "the bearer token is malformed, forged, or from the future")                 \
    X(TOKEN_EXPIRED, UNAUTHENTICATED, BEFORE, "the bearer token's time is over")                                       \
    X(NONCES_FULL, RESOURCE_EXHAUSTED, BEFORE, "more signed calls came than the server can remember")                  \
    X(METHOD_NOT_ALLOWED, PERMISSION_DENIED, BEFORE, "the caller may not call the method")                             \
    X(USER_NOT_ALLOWED, PERMISSION_DENIED, BEFORE, "the caller may not act for the user")                              \
    X(USER_MISSING, PERMISSION_DENIED, BEFORE, "the method acts for a user and the credential names none")             \
    X(NOT_YOUR_USER, PERMISSION_DENIED, BEFORE, "the request names another user than the credential")                  \
    /* Ends and memory of a call, before its handler or in it. */                                                      \
    X(DEADLINE_EXCEEDED, DEADLINE_EXCEEDED, EITHER, "the call's time is over")                                         \
    X(CANCELLED, CANCELLED, EITHER, "the call was cancelled; with UNAVAILABLE, by the server's end")                   \
    X(WAIT_TIMEOUT, DEADLINE_EXCEEDED, BEGUN, "a wait took longer than its own limit")                                 \
    X(ARENA_FULL, RESOURCE_EXHAUSTED, EITHER, "the memory of one call is used up")                                     \
    X(OUT_OF_MEMORY, RESOURCE_EXHAUSTED, EITHER, "no memory, of the process or of the call")                           \
    X(NO_STACK, RESOURCE_EXHAUSTED, EITHER, "no memory for the stack of a task")                                       \
    X(FAILPOINT, UNKNOWN, EITHER, "a failpoint was told to fail; the code is the one it was told")                     \
    X(METADATA, INVALID_ARGUMENT, EITHER, "a pair of the reply's metadata breaks its rules")                           \
    X(TOO_MUCH_METADATA, RESOURCE_EXHAUSTED, EITHER, "a reply has more pairs of metadata than it may")                 \
    X(OFFLOAD, RESOURCE_EXHAUSTED, BEGUN, "work cannot be started on a thread")                                        \
    /* After the handler: its reply cannot be sent. */                                                                 \
    X(RESPONSE_TOO_LARGE, RESOURCE_EXHAUSTED, BEGUN, "the reply is larger than the server sends")                      \
    X(MALFORMED_RESPONSE, INTERNAL, BEGUN, "a server made a response that breaks its schema")                          \
    X(NOT_JSON, INVALID_ARGUMENT, BEGUN, "a message has no form in JSON")                                              \
    /* ONCE calls and their idempotency keys. */                                                                       \
    X(IDEMPOTENCY_KEY_REUSED, INVALID_ARGUMENT, HANDLER, "the key was used for another request of the method")         \
    X(NO_STORED_REPLY, NOT_FOUND, HANDLER, "no reply is stored under the key")                                         \
    X(STORED_REPLY_UNREADABLE, DATA_LOSS, HANDLER, "the reply stored under the key cannot be read")                    \
    /* EventService. */                                                                                                \
    X(EVENT_NOT_FOUND, NOT_FOUND, HANDLER, "there is no such event, or it is another user's")                          \
    X(WRONG_STATE, FAILED_PRECONDITION, HANDLER, "the event is in a state that does not allow this")                   \
    X(BAD_PAGE_TOKEN, INVALID_ARGUMENT, HANDLER, "the page token is none that ListEvents gave")                        \
    X(RECOMMENDATION_NOT_SELECTED, FAILED_PRECONDITION, HANDLER, "the draft has no recommendation yet")                \
    X(NOT_PUBLISH_READY, FAILED_PRECONDITION, HANDLER, "the draft lacks what the details list")                        \
    X(CHANNELS_FIXED, FAILED_PRECONDITION, HANDLER, "the event is approved for other channels")                        \
    X(DISTRIBUTION_UNAVAILABLE, UNAVAILABLE, HANDLER, "the delivery did not end now; it goes on in the background")    \
    X(DISTRIBUTION_TIMEOUT, DEADLINE_EXCEEDED, HANDLER, "the call's time ended before the delivery, which goes on")    \
    X(DISTRIBUTION_CANCELLED, CANCELLED, HANDLER, "the call was cancelled during the delivery, which goes on")         \
    X(BREAKER_OPEN, UNAVAILABLE, HANDLER, "the circuit breaker keeps calls from a server that fails")                  \
    X(STORED_RESULT_UNREADABLE, DATA_LOSS, HANDLER, "the stored result of the event cannot be read")                   \
    X(MALFORMED_REPLY, INTERNAL, EITHER, "a peer's reply cannot be read")                                              \
    /* JobService and the pictures of a job. */                                                                        \
    X(JOB_NOT_FOUND, NOT_FOUND, HANDLER, "there is no such job, or it is not this draft's")                            \
    X(JOB_NOT_COMPLETED, FAILED_PRECONDITION, HANDLER, "the job is not completed yet")                                 \
    X(PICTURE_NOT_FOUND, NOT_FOUND, HANDLER, "the job made no picture in this style")                                  \
    X(PICTURES_MISSING, FAILED_PRECONDITION, HANDLER, "a job is completed only with its three pictures")               \
    /* DistributionService. */                                                                                         \
    X(DISTRIBUTION_NOT_FOUND, NOT_FOUND, HANDLER, "the event was never distributed")                                   \
    X(DELIVERY_NOT_FOUND, NOT_FOUND, HANDLER, "the event has no delivery to the channel")                              \
    X(TOO_LITTLE_TIME, DEADLINE_EXCEEDED, HANDLER, "too little of the call's time is left to begin with the channels") \
    X(STORED_CONTENT_UNREADABLE, DATA_LOSS, HANDLER, "the stored content of the distribution cannot be read")          \
    /* Health, Reflection, Introspection. */                                                                           \
    X(UNKNOWN_SERVICE, NOT_FOUND, HANDLER, "the server does not serve a service of this name")                         \
    X(METHOD_NOT_FOUND, NOT_FOUND, HANDLER, "there is no method of the name that is asked about")                      \
    X(NO_SUCH_NAME, NOT_FOUND, HANDLER, "the schema has no element of this name")                                      \
    X(AMBIGUOUS_NAME, INVALID_ARGUMENT, HANDLER, "the name may be one of several")                                     \
    X(UNKNOWN_FAILPOINT, NOT_FOUND, HANDLER, "there is no failpoint of this name")                                     \
    X(NO_ACTION, INVALID_ARGUMENT, HANDLER, "the text is no action of a failpoint")                                    \
    X(ACTION_NOT_HERE, INVALID_ARGUMENT, HANDLER, "the failpoint does not take this action")                           \
    X(COMPILED_OUT, UNIMPLEMENTED, HANDLER, "this build has no fault injection")                                       \
    /* A server that the handler called refused its call; the handler's own has begun. */                              \
    X(DOWNSTREAM_DRAINING, UNAVAILABLE, BEGUN, "the called server is about to end and takes no more calls")            \
    X(DOWNSTREAM_TOO_MANY_CALLS, RESOURCE_EXHAUSTED, BEGUN, "the called server's limit of calls in flight")            \
    X(DOWNSTREAM_TOO_MANY_CALLS_OF_METHOD, RESOURCE_EXHAUSTED, BEGUN, "the called server's limit for the method")      \
    X(DOWNSTREAM_TOO_MANY_CALLS_OF_CALLER, RESOURCE_EXHAUSTED, BEGUN, "the called server's limit for one caller")      \
    X(DOWNSTREAM_LIMIT_REACHED, RESOURCE_EXHAUSTED, BEGUN, "as many calls wait at the called server as now may")       \
    X(DOWNSTREAM_QUEUE_TIMEOUT, RESOURCE_EXHAUSTED, BEGUN, "the call waited too long at the called server")            \
    X(DOWNSTREAM_TOO_MANY_CONNECTIONS, RESOURCE_EXHAUSTED, BEGUN, "the called server's limit of connections")          \
    X(DOWNSTREAM_SIGNED_BEFORE_START, UNAVAILABLE, BEGUN, "the called server began after the call was signed")         \
    /* Postgres. */                                                                                                    \
    X(DATABASE_UNAVAILABLE, UNAVAILABLE, BEGUN, "the database cannot be reached, or is not ready")                     \
    X(DATABASE_QUEUE_FULL, RESOURCE_EXHAUSTED, BEGUN, "too many statements wait for the database")                     \
    X(DATABASE_OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, BEGUN, "the change may have been committed; the answer was lost")     \
    X(DATABASE_ERROR, INTERNAL, BEGUN, "the database refused a statement")                                             \
    /* Redis. */                                                                                                       \
    X(REDIS_UNAVAILABLE, UNAVAILABLE, BEGUN, "Redis cannot be reached, or did not answer")                             \
    X(REDIS_NO_KEY, NOT_FOUND, BEGUN, "Redis has no such key")                                                         \
    X(REDIS_SUBSCRIBED, ALREADY_EXISTS, BEGUN, "the connection has a subscription already")                            \
    X(NO_SHA1, INTERNAL, BEGUN, "libcrypto does not compute SHA-1")                                                    \
    /* Kafka. */                                                                                                       \
    X(KAFKA_UNAVAILABLE, UNAVAILABLE, BEGUN, "Kafka cannot be reached, or did not take the record")                    \
    X(KAFKA_QUEUE_FULL, UNAVAILABLE, BEGUN, "the queue of records to Kafka is full")                                   \
    X(KAFKA_RECORD_REFUSED, INVALID_ARGUMENT, BEGUN, "Kafka refuses the record for good")                              \
    X(KAFKA_OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, BEGUN, "the record may be in Kafka; no acknowledgement came")            \
    X(KAFKA_TOPIC_UNAVAILABLE, UNAVAILABLE, BEGUN, "Kafka does not serve the topic")                                   \
    /* HTTP to the channels. */                                                                                        \
    X(HTTP_UNREACHABLE, UNAVAILABLE, BEGUN, "nothing of the request was sent")                                         \
    X(HTTP_NO_MEMORY, UNAVAILABLE, BEGUN, "no memory to send a request; nothing was sent")                             \
    X(HTTP_TIMEOUT, OUTCOME_UNKNOWN, BEGUN, "the request was sent, and no answer came in time")                        \
    X(HTTP_LOST, OUTCOME_UNKNOWN, BEGUN, "the request was sent, and the answer was lost")                              \
    X(HTTP_RESPONSE_TOO_BIG, RESOURCE_EXHAUSTED, BEGUN, "the answer is longer than is read")                           \
    /* Errors that a handler resolves: it reads again, or returns the reply of the faster call. */                     \
    X(IDEMPOTENCY_KEY_EXISTS, ALREADY_EXISTS, NO_CALL, "the key is taken by another attempt or another call")          \
    X(EVENT_MOVED, ABORTED, NO_CALL, "another call changed the event meanwhile")                                       \
    X(EVENT_LEASED, ABORTED, NO_CALL, "another call is publishing the event")                                          \
    X(DELIVERY_MOVED, ABORTED, NO_CALL, "another call has taken over the delivery")                                    \
    X(ROUND_COMPLETED, ABORTED, NO_CALL, "the round of deliveries is completed")                                       \
    /* Background work: outbox and image jobs. */                                                                      \
    X(OUTBOX_KIND, INTERNAL, NO_CALL, "an outbox row is of a kind that this server does not send")                     \
    X(JOB_FAILED, ABORTED, NO_CALL, "the job has failed for another reason")                                           \
    X(CONTENT_TYPE, INVALID_ARGUMENT, NO_CALL, "the record is in a format that cannot be read")                        \
    X(EVENT_TYPE, INVALID_ARGUMENT, NO_CALL, "the record is an event of another type")                                 \
    X(NO_VALUE, INVALID_ARGUMENT, NO_CALL, "the record has no value")                                                  \
    X(NO_JOB, INTERNAL, NO_CALL, "the job service answered without a job")                                             \
    X(DRAWING, INTERNAL, NO_CALL, "a picture cannot be drawn")                                                         \
    X(NO_HANGUL_FONT, FAILED_PRECONDITION, NO_CALL, "no installed font has Hangul")                                    \
    X(INVALID_UTF8, INVALID_ARGUMENT, NO_CALL, "text is not UTF-8; also a field's word in details")                    \
    X(PNG_ENCODER, INTERNAL, NO_CALL, "the PNG encoder failed")                                                        \
    X(JPEG_ENCODER, INTERNAL, NO_CALL, "the JPEG encoder failed")                                                      \
    X(PICTURE_TOO_BIG, RESOURCE_EXHAUSTED, NO_CALL, "the picture is larger than channels take")                        \
    X(PICTURE_NOT_STORED, UNAVAILABLE, NO_CALL, "the picture's file cannot be written")                                \
    /* Errors that the client library itself makes; no reply has them. */                                              \
    X(NOT_CONNECTED, UNAVAILABLE, BEFORE, "no connection within the time for that")                                    \
    X(NAME_NOT_FOUND, UNAVAILABLE, BEFORE, "the host name cannot be looked up")                                        \
    X(SEND_FAILED, UNAVAILABLE, BEFORE, "the transport did not take the message")                                      \
    X(NOT_SENT_IN_TIME, DEADLINE_EXCEEDED, BEFORE, "the deadline came before the message could be sent")               \
    X(NO_REPLY_IN_TIME, DEADLINE_EXCEEDED, EITHER, "the deadline came before the reply did")                           \
    X(CONNECTION_LOST, UNAVAILABLE, EITHER, "the connection was lost before the reply came")                           \
    X(CHANNEL_CLOSED, CANCELLED, BEFORE, "the channel is being closed")                                                \
    X(REFUSED, UNKNOWN, BEFORE, "an interceptor of the client refused the call, with a code of its own")               \
    X(MESSAGE_TOO_BIG, RESOURCE_EXHAUSTED, BEFORE, "the message is larger than the channel sends")                     \
    X(NOT_SIGNED, RESOURCE_EXHAUSTED, BEFORE, "libcrypto could not sign the call")                                     \
    X(INVALID_REQUEST, INVALID_ARGUMENT, BEFORE, "the request is not of the method's type, or has NULL in a list")     \
    X(INVALID_ACTING_USER, INVALID_ARGUMENT, BEFORE, "the user for whom the call acts is no token")                    \
    X(INVALID_IDEMPOTENCY_KEY, INVALID_ARGUMENT, BEFORE, "the idempotency key is no token")                            \
    /* The client's options. */                                                                                        \
    X(INVALID_URL, INVALID_ARGUMENT, NO_CALL, "the text is no URL that can be called")                                 \
    X(INVALID_KEY, INVALID_ARGUMENT, NO_CALL, "the key to sign with is malformed")                                     \
    X(INVALID_KEY_ID, INVALID_ARGUMENT, NO_CALL, "the id of the key to sign with is malformed")                        \
    X(INVALID_TOKEN, INVALID_ARGUMENT, NO_CALL, "the bearer token to send is malformed")                               \
    X(TLS_OPTIONS_MISSING, INVALID_ARGUMENT, NO_CALL, "TLS needs files that the options do not name")                  \
    X(TLS_FILE_REFUSED, INVALID_ARGUMENT, NO_CALL, "a file for TLS is not what it should be")                          \
    X(FILE_UNREADABLE, INVALID_ARGUMENT, NO_CALL, "a file of the options cannot be read")                              \
    X(KEY_EXPOSED, INVALID_ARGUMENT, NO_CALL, "a file with a key may be read by others than its owner")                \
    X(NO_TLS, RESOURCE_EXHAUSTED, NO_CALL, "a TLS configuration cannot be made")                                       \
    X(NO_SOCKET, RESOURCE_EXHAUSTED, NO_CALL, "a socket cannot be made")                                               \
    X(NO_THREAD, RESOURCE_EXHAUSTED, NO_CALL, "a thread cannot be started")                                            \
    X(UNKNOWN_TYPE, INTERNAL, NO_CALL, "a field is of a type that the JSON reader does not know")                      \
    /* Start of a server. */                                                                                           \
    X(BAD_SETTINGS, INVALID_ARGUMENT, NO_CALL, "the settings have problems; the details list them")                    \
    X(BAD_CALLERS, INVALID_ARGUMENT, NO_CALL, "the callers file has problems; the details list them")                  \
    X(CALLERS_FILE_MISSING, INVALID_ARGUMENT, NO_CALL, "credentials are required and no callers file is set")          \
    X(BAD_CREDENTIAL_SETTINGS, INVALID_ARGUMENT, NO_CALL, "of key id and key file one is set alone")                   \
    X(BAD_DSN, INVALID_ARGUMENT, NO_CALL, "the connection string is none of libpq")                                    \
    X(BAD_BREAKER, INVALID_ARGUMENT, NO_CALL, "the settings of a circuit breaker do not fit together")                 \
    X(BAD_URL, INVALID_ARGUMENT, NO_CALL, "the text is no URL that can be used here")                                  \
    X(BAD_WEBHOOK_SECRET, INVALID_ARGUMENT, NO_CALL, "the secret of the webhooks is malformed")                        \
    X(BAD_CERTIFICATE, INVALID_ARGUMENT, NO_CALL, "certificate or key cannot be used")                                 \
    X(NO_CERTIFICATE, INVALID_ARGUMENT, NO_CALL, "a TLS listener needs a certificate")                                 \
    X(UNREADABLE, INVALID_ARGUMENT, NO_CALL, "a file cannot be read")                                                  \
    X(READABLE_BY_OTHERS, INVALID_ARGUMENT, NO_CALL, "a file with secrets may be used by others than its owner")       \
    X(BAD_KEY, INVALID_ARGUMENT, NO_CALL, "a key is no base64 of enough bytes")                                        \
    X(INSECURE_LISTENER, PERMISSION_DENIED, NO_CALL, "the listener would be open to strangers")                        \
    X(ADDRESS_IN_USE, FAILED_PRECONDITION, NO_CALL, "another program listens on the address")                          \
    X(CANNOT_LISTEN, UNAVAILABLE, NO_CALL, "the address cannot be listened on")                                        \
    X(TOO_MANY_LISTENERS, RESOURCE_EXHAUSTED, NO_CALL, "a server has its limit of listeners")                          \
    X(TOO_MANY_SERVICES, RESOURCE_EXHAUSTED, NO_CALL, "a server has its limit of services")                            \
    X(TOO_MANY_COMPONENTS, RESOURCE_EXHAUSTED, NO_CALL, "a server has its limit of components that health tells of")   \
    X(TOO_MANY_INTERCEPTORS, RESOURCE_EXHAUSTED, NO_CALL, "a server has its limit of interceptors")                    \
    X(SERVICE_ADDED, ALREADY_EXISTS, NO_CALL, "the service is served already")                                         \
    X(HERALD_FAILPOINT, INVALID_ARGUMENT, NO_CALL, "the variable HERALD_FAILPOINT is no name:action")                  \
    X(LOOP_INIT, RESOURCE_EXHAUSTED, NO_CALL, "an event loop cannot be made")                                          \
    X(NO_HANDLES, RESOURCE_EXHAUSTED, NO_CALL, "the system gives no handles for the database pool")                    \
    X(REDIS_URL, INVALID_ARGUMENT, NO_CALL, "the Redis URL is malformed")                                              \
    X(KAFKA_CLIENT, RESOURCE_EXHAUSTED, NO_CALL, "a Kafka client cannot be made")                                      \
    X(KAFKA_SETTING, INVALID_ARGUMENT, NO_CALL, "the Kafka client refuses a setting")                                  \
    X(KAFKA_TOPIC, INVALID_ARGUMENT, NO_CALL, "a Kafka topic cannot be subscribed to")                                 \
    X(CONTENT_DIR, FAILED_PRECONDITION, NO_CALL, "the folder for pictures cannot be used")                             \
    /* Migrations. */                                                                                                  \
    X(MIGRATION_FAILED, INTERNAL, NO_CALL, "the database refused a migration")                                         \
    X(MIGRATION_CHANGED, FAILED_PRECONDITION, NO_CALL, "a migration's file has changed since it was applied")          \
    X(MIGRATION_GAP, FAILED_PRECONDITION, NO_CALL, "the table of applied migrations was edited")                       \
    X(SCHEMA_NEWER, FAILED_PRECONDITION, NO_CALL, "the schema is newer than this build")                               \
    /* heraldctl and the demo. */                                                                                      \
    X(USAGE, INVALID_ARGUMENT, NO_CALL, "the command line is not complete")                                            \
    X(ONE_OF, INVALID_ARGUMENT, NO_CALL, "two options exclude each other")                                             \
    X(TOO_LONG, INVALID_ARGUMENT, NO_CALL, "the input is longer than is read; also a field's word in details")         \
    X(INPUT_NOT_FOUND, NOT_FOUND, NO_CALL, "the file of the input cannot be opened")                                   \
    X(CUT_OFF, INVALID_ARGUMENT, NO_CALL, "the input ends in the middle of a message")                                 \
    X(SERVICE_NOT_FOUND, NOT_FOUND, NO_CALL, "there is no service of this name")                                       \
    X(NO_TOKEN, INVALID_ARGUMENT, NO_CALL, "the file holds no token")                                                  \
    X(NO_KEY, INVALID_ARGUMENT, NO_CALL, "there is no key to sign with")                                               \
    X(BAD_KEY_ID, INVALID_ARGUMENT, NO_CALL, "the text is no id of a key")                                             \
    X(BAD_CLAIM, INVALID_ARGUMENT, NO_CALL, "a token cannot say this")                                                 \
    X(UNKNOWN_CALLER, INVALID_ARGUMENT, NO_CALL, "the callers file has no caller of this name")                        \
    X(NO_PICTURES, ABORTED, NO_CALL, "the demo's job has made no pictures")                                            \
    /* Details: what is wrong with a field. */                                                                         \
    X(REQUIRED, OK, DETAIL, "must be set")                                                                             \
    X(NOT_ALLOWED, OK, DETAIL, "must not be set, or not to this")                                                      \
    X(TOO_SHORT, OK, DETAIL, "is shorter than its rule")                                                               \
    X(TOO_MANY, OK, DETAIL, "has more items than its rule")                                                            \
    X(OUT_OF_RANGE, OK, DETAIL, "lies outside its bounds")                                                             \
    X(UNKNOWN_VALUE, OK, DETAIL, "is no value of its enum")                                                            \
    X(INVALID_FORMAT, OK, DETAIL, "is not in its format")                                                              \
    X(MALFORMED, OK, DETAIL, "cannot be read as its type")                                                             \
    X(DUPLICATE, OK, DETAIL, "names an item twice")                                                                    \
    X(NOT_SET, OK, DETAIL, "a setting is missing")                                                                     \
    /* Details: what is wrong in a file of settings or callers. */                                                     \
    X(SYNTAX, OK, DETAIL, "the line is not understood")                                                                \
    X(LINE_TOO_LONG, OK, DETAIL, "the line is longer than is read")                                                    \
    X(NO_SECTION, OK, DETAIL, "the key stands before any section")                                                     \
    X(BAD_SECTION, OK, DETAIL, "the section's name is malformed")                                                      \
    X(UNKNOWN_SECTION, OK, DETAIL, "there is no section of this name")                                                 \
    X(UNKNOWN_KEY, OK, DETAIL, "there is no key of this name")                                                         \
    X(DUPLICATE_KEY, OK, DETAIL, "the key was set before")                                                             \
    X(DUPLICATE_CALLER, OK, DETAIL, "the caller was named before")                                                     \
    X(UNKNOWN_VARIABLE, OK, DETAIL, "the environment variable is no setting")                                          \
    X(BAD_VALUE, OK, DETAIL, "the value is not of the setting's type")                                                 \
    X(BAD_TOPIC, OK, DETAIL, "the value is no name of a Kafka topic")                                                  \
    X(BAD_ENDPOINT, OK, DETAIL, "the value is no host:port")                                                           \
    X(BAD_SECRET, OK, DETAIL, "the value is no secret of webhooks")                                                    \
    X(CONFLICT, OK, DETAIL, "two settings do not fit together")                                                        \
    X(NO_METHODS, OK, DETAIL, "the caller may call no method")                                                         \
    /* Results of a delivery to a channel. */                                                                          \
    X(CHANNEL_NEEDS_AUTH, OK, DETAIL, "the channel refused signature, credentials or account")                         \
    X(CHANNEL_DISABLED, OK, DETAIL, "the channel has switched this webhook off")                                       \
    X(CHANNEL_TIMEOUT, OK, DETAIL, "the channel did not answer in time")                                               \
    X(CHANNEL_THROTTLED, OK, DETAIL, "the channel takes no more posts for now")                                        \
    X(CHANNEL_UNAVAILABLE, OK, DETAIL, "the channel is out of service for now")                                        \
    X(CHANNEL_REJECTED, OK, DETAIL, "the channel refused the post for good")                                           \
    X(CHANNEL_ERROR, OK, DETAIL, "the channel failed while it had the post")                                           \
    X(CHANNEL_REDIRECTED, OK, DETAIL, "the channel answered with a redirect")                                          \
    X(CHANNEL_UNREACHABLE, OK, DETAIL, "nothing was sent to the channel")                                              \
    X(CHANNEL_LOST, OK, DETAIL, "the channel's answer was lost")                                                       \
    X(CHANNEL_WORKING, OK, DETAIL, "the channel has the post and has not decided")                                     \
    X(NOT_ACCEPTED, OK, DETAIL, "the channel did not accept the earlier post")                                         \
    X(LOOK_UP_FAILED, OK, DETAIL, "the channel does not say what became of the post")                                  \
    X(NOT_SENT, OK, DETAIL, "the post could not be made")

enum herald_reason {
    HERALD_REASON_NONE = 0, /* no reason, or a word that is not in the table */
#define HERALD_REASON_ENUM(name, code, stage, meaning) HERALD_REASON_##name,
    HERALD_REASONS(HERALD_REASON_ENUM)
#undef HERALD_REASON_ENUM
        HERALD_REASON_END /* one behind the last; no reason itself */
};

/** How many reasons there are, NONE not counted: their numbers are 1 to this. */
#define HERALD_REASON_COUNT (HERALD_REASON_END - 1)

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
/**
 * Whether a server gives this reason only before the handler begins, so that a retry is safe for every method: the list
 * in proto/WIRE.md, 9, and no more.
 */
bool herald_reason_is_refusal(enum herald_reason reason);

HERALD_END_DECLS

#endif
