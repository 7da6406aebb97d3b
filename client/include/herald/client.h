#ifndef HERALD_CLIENT_H
#define HERALD_CLIENT_H

/*
 * Calls to Herald's servers: a blocking API and, under it, a callback API. The generated stubs
 * (herald/event/v1/event.client.h …) are thin typed wrappers over herald_call() and herald_call_start().
 *
 * Needs nng, protobuf-c and libcrypto, nothing else. All functions may be called from any thread unless they say
 * otherwise; a channel may be used by many threads at once.
 */
#include "herald/credential.h"
#include "herald/decls.h"
#include "herald/error.h"
#include "herald/schema.h"
#include "herald/uuid.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HERALD_BEGIN_DECLS

/** Largest message, envelope included, that a channel sends or receives, unless its options set another limit. */
#define HERALD_DEFAULT_MAX_MESSAGE_BYTES (256u * 1024u)

/** Whether a call has taken effect. */
enum herald_outcome {
    HERALD_NOT_SENT,       /* the server never saw it: safe to retry */
    HERALD_EXECUTED,       /* the server replied, and what it says is what happened */
    HERALD_MAYBE_EXECUTED, /* sent, but no reply came; or the server itself does not know, or the reply is unreadable */
};

/** "NOT_SENT", "EXECUTED", "MAYBE_EXECUTED". Static. */
const char *herald_outcome_name(enum herald_outcome outcome);

/** What was done for a call that failed, as its server says: proto/herald/rpc/v1/envelope.proto Done. */
enum herald_done {
    HERALD_DONE_AS_TOLD,   /* what the error says; also when no server answered */
    HERALD_DONE_NOTHING,   /* nothing: the handler did not begin */
    HERALD_DONE_NOT_KNOWN, /* the server does not know, or a part */
};

struct herald_channel;

/**
 * How a channel retries calls by itself, never beyond the call's deadline:
 *
 *   - NOT_SENT, or refused before the handler began by UNAVAILABLE, or RESOURCE_EXHAUSTED with retry_after_ms: any method
 *   - the connection lost, or an UNAVAILABLE, ABORTED or (with retry_after_ms) RESOURCE_EXHAUSTED reply: methods whose
 *     effect is READ or IDEMPOTENT
 *   - no reply within attempt_timeout_ms: methods whose effect is READ and that do not wait by their request's wish, where
 *     twice that time is left and the retry budget has something left. The attempt is cancelled, and the next one goes to
 *     another endpoint if there is one. Each later attempt gets twice as long, and the last one the rest of the time.
 *     IDEMPOTENT methods are left out: a server that was frozen could carry out the first attempt after a newer call
 *   - no connection within connect_timeout_ms, the deadline, any other reply: never
 *
 * A retry is charged to the channel's retry budget; once that is spent, such calls end. Some retries are free. A call
 * whose connection is lost moves to another endpoint, once. A server that is being restarted refuses calls because it
 * drains, or because they were signed before its start. For connect_timeout_ms such refusals are neither charged nor
 * counted: the call moves to another endpoint at once, or waits until the server is back. All attempts have the same
 * call id and idempotency key.
 */
struct herald_retry_policy {
    uint32_t max_attempts; /* the first one included; 1: no retries; 0: 4 */
    uint32_t
        backoff_min_ms; /* the wait before retry n is random in 0..min(backoff_max, backoff_min * 2^(n-1)); 0: 20 */
    uint32_t backoff_max_ms; /* 0: 2000. If a server's retry_after_ms is longer, that is the wait */
    uint32_t budget_percent; /* retries for each hundred calls; 0: 20 */
    uint32_t budget_per_s;   /* retries each second in addition to that; 0: 10 */
    uint32_t
        attempt_timeout_ms; /* how long the first attempt of a READ waits for its reply; 0: 1000; UINT32_MAX: as long
                                  * as the call */
};

/** TLS for URLs that begin with tls+tcp://. The files are PEM. They are read at the open and again when they change. */
struct herald_tls_options {
    const char *ca_file;     /* certificates of the CAs to trust; required */
    const char *cert_file;   /* own certificate and chain, for mutual TLS; NULL: none */
    const char *key_file;    /* its private key; NULL: in cert_file */
    const char *server_name; /* name that the server's certificate must have; NULL: the URL's host. Needed when the
                              * host is an address, because a certificate has names */
};

struct herald_channel_options {
    uint32_t connect_timeout_ms; /* longest wait for a connection before a call ends UNAVAILABLE, NOT_SENT; 0: 2000 */
    uint32_t max_message_bytes;  /* 0: HERALD_DEFAULT_MAX_MESSAGE_BYTES */
    uint32_t max_in_flight;      /* calls at once on this channel; beyond it RESOURCE_EXHAUSTED, NOT_SENT; 0: 16384 */
    struct herald_retry_policy retry;
    const struct herald_tls_options *tls; /* needed for tls+tcp:// URLs; copied */
    struct herald_credential *credential; /* sent with each call; NULL: none; the channel adds its own reference */
    const struct herald_interceptor *interceptors; /* in this order, the first is the outermost; copied */
    size_t interceptor_count;
    uint32_t health_check_ms; /* interval of health checks of each endpoint; 0: 1000; UINT32_MAX: never */
    uint32_t resolve_ms;      /* interval of look-ups of host names; 0: 30000 */
    /* While servers refuse most calls of a method, the channel sends this many for each hundred that they take, and
     * ten a second; others end RESOURCE_EXHAUSTED, NOT_SENT at once. At least 100; 0: 110; UINT32_MAX: sends all */
    uint32_t overload_percent;
};

/**
 * Opens a channel to a server, or to several that serve the same methods. The channel connects in the background, and
 * reconnects with backoff.
 *
 * Each call goes to the healthy endpoint with the fewest calls in flight. An endpoint that fails repeatedly, drains, or
 * whose health is not SERVING is avoided for a while, unless all are such.
 *
 * @url      "tcp://host:port", "tls+tcp://host:port", "ipc:///path" or "inproc://name"; several with commas between
 *           them; each address of a host name is an endpoint
 * @options  may be NULL
 * @ret_channel  set only on success; close it with herald_channel_close()
 * Returns:  HERALD_OK
 *           | HERALD_INVALID_ARGUMENT (INVALID_URL; of TLS: TLS_OPTIONS_MISSING, TLS_FILE_REFUSED, FILE_UNREADABLE,
 *             KEY_EXPOSED)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_SOCKET, NO_TLS, NO_THREAD)
 * Context:  any thread. After fork() a child may open channels only if its parent had never opened one, not even one
 *           that it has closed: NO_SOCKET. nng marks each later child of a process that has used it, nng_fini() or not,
 *           and aborts it at its first call. So a program that uses nng itself must not open a channel in such a child,
 *           as Herald cannot see that: fork() first, or exec() in the child. Calls over an inherited channel end
 *           CANCELLED (CHANNEL_CLOSED), and closing it does nothing
 */
enum herald_code herald_channel_open(const char *url, const struct herald_channel_options *options,
                                     struct herald_channel **ret_channel, struct herald_error *reterr);
/**
 * Closes a channel. Calls in flight end with CANCELLED first; all callbacks have returned when this function returns.
 * Handles that are still held may be released later. NULL is allowed.
 *
 * Context:  blocks, up to a minute where nng cannot close the connection; not from a callback
 */
void herald_channel_close(struct herald_channel *channel);
/** The URL that the channel was opened with; lives as long as the channel. */
const char *herald_channel_url(const struct herald_channel *channel);

struct herald_metadata {
    const char *key;
    const uint8_t *value;
    size_t value_bytes;
};

struct herald_call_info;
struct herald_reply;

/**
 * Observes every call of a channel, for metrics, logs, traces or your own credentials. Its functions run in the thread
 * that makes the call or completes it; they must not block. Either may be NULL.
 */
struct herald_interceptor {
    /** Runs before each attempt is packed. It may add metadata with herald_call_info_add().
     *  Returns: HERALD_OK | any other code: the call ends with it, NOT_SENT (REFUSED unless @reterr is set) */
    enum herald_code (*before)(void *user, struct herald_call_info *info, struct herald_error *reterr);
    /** Runs after each attempt, the last interceptor first. Only if before() ran for this attempt, refused or not. */
    void (*after)(void *user, const struct herald_call_info *info, const struct herald_reply *reply);
    void *user;
};

/** What an interceptor sees of a call. */
struct herald_call_info {
    const struct herald_method_schema *method;
    const ProtobufCMessage *request; /* NULL in after() */
    const char *url;                 /* endpoint; NULL while none is chosen */
    const char *call_id;
    uint32_t attempt; /* from 0 */
    uint64_t elapsed_us;
    void *metadata; /* private */
};
/** Adds a pair to the attempt's metadata; both are copied. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED. */
enum herald_code herald_call_info_add(struct herald_call_info *info, const char *key, const void *value,
                                      size_t value_bytes);

/** All optional: zeroed means the defaults. Everything is copied before the call returns. */
struct herald_call_options {
    uint32_t timeout_ms;         /* 0: the method's default deadline. It is exact: the call ends here at the deadline,
                                  * even if the server's own DEADLINE_EXCEEDED is about to arrive */
    const char *call_id;         /* UUIDv7; NULL: made here */
    const char *idempotency_key; /* NULL: made here for ONCE methods */
    const char *traceparent;     /* NULL: none */
    const struct herald_metadata *metadata;
    size_t metadata_count;
    const char *acting_user; /* the user for whom the call acts; NULL: the request's field with the rule acting_user,
                              * else none */
    bool want_timings;       /* ask the server where the time went */
    struct herald_credential *credential; /* instead of the channel's; NULL: the channel's. The call adds its own
                                           * reference */
};

/** How long a call spent in the parts of the server, microseconds. */
struct herald_timings {
    bool known;
    uint64_t queue_us;      /* from the arrival of its message until its handler began */
    uint64_t handler_us;    /* in the handler, its waits included */
    uint64_t downstream_us; /* of handler_us, in calls to other servers */
};

/** Longest idempotency key, bytes. */
#define HERALD_IDEMPOTENCY_KEY_MAX 128u

/** The end of a call. Zero it before first use; clear it with herald_reply_clear() whatever the code was. */
struct herald_reply {
    enum herald_outcome outcome;
    enum herald_effect effect;       /* of the method; 0: the call was never made */
    enum herald_done done;           /* what the server that answered last says of a failure */
    struct herald_error error;       /* error.code is the call's code */
    const ProtobufCMessage *message; /* the response when the code is OK, else NULL; owned by the reply */
    const uint8_t *payload;          /* the response's bytes as received; owned by the reply */
    size_t payload_bytes;
    char call_id[37];                                     /* under which the server logged it */
    char idempotency_key[HERALD_IDEMPOTENCY_KEY_MAX + 1]; /* given or made: with it a ONCE call that is MAYBE_EXECUTED
                                                           * can be repeated safely; empty: it had none */
    uint32_t attempts;                                    /* how many were made; 0: the client refused the call */
    const char *url; /* the endpoint of the last attempt; lives as long as the channel; NULL: none */
    struct herald_timings timings;
    const struct herald_metadata *metadata; /* that came with the reply; owned by the reply */
    size_t metadata_count;
    void *memory; /* private */
};

/** Frees what the reply holds; it may then be used again. NULL is allowed. */
void herald_reply_clear(struct herald_reply *reply);

/** Whether a call may be made again: herald_reply_may_repeat(). */
enum herald_repeat {
    HERALD_REPEAT_NO,       /* it succeeded, the same would be refused again, or a repeat could do it twice */
    HERALD_REPEAT_YES,      /* the same request, under any idempotency key or none */
    HERALD_REPEAT_SAME_KEY, /* the same request under reply->idempotency_key only: a new key could do it twice */
};

/**
 * Tells whether a call that ended so may be made again, and whether that can help. It says nothing about when: wait for
 * error.retry_after_ms if that is set, and with a backoff else. The channel has made its own retries before.
 *
 *   the call succeeded                             NO
 *   it may have taken effect                       READ, IDEMPOTENT: YES; ONCE: SAME_KEY, without a key NO
 *   it was not begun, or failed, for the moment    READ, IDEMPOTENT, not begun: YES; ONCE: SAME_KEY, without a key NO
 *   it was not begun, or failed, for good          NO: the request, the caller or the state must change first
 *
 * For the moment are UNAVAILABLE, ABORTED, DEADLINE_EXCEEDED, CANCELLED and RESOURCE_EXHAUSTED, but for a message that is
 * too large or too complex.
 *
 * @reply    the end of a call, not cleared
 * Context:  pure: any thread
 */
enum herald_repeat herald_reply_may_repeat(const struct herald_reply *reply);
/** "NO", "YES", "SAME_KEY". Static. */
const char *herald_repeat_name(enum herald_repeat repeat);

/**
 * Calls a method and blocks until its end.
 *
 * @request    of the method's request type; checked only as far as packing needs, the server validates it
 * @options    may be NULL
 * @ret_reply  zeroed or cleared before; always set, so that its outcome and error can be read
 * Returns:  the call's code, the same as ret_reply->error.code: the server's, an interceptor's, or one made here
 *           | HERALD_UNAVAILABLE (NOT_CONNECTED, SEND_FAILED: NOT_SENT; CONNECTION_LOST: MAYBE_EXECUTED; DRAINING: no
 *             server was ready in time)
 *           | HERALD_DEADLINE_EXCEEDED (NOT_SENT_IN_TIME, NO_REPLY_IN_TIME)
 *           | HERALD_CANCELLED (CANCELLED, CHANNEL_CLOSED: the channel is being closed)
 *           | HERALD_INVALID_ARGUMENT (INVALID_REQUEST, INVALID_ACTING_USER, INVALID_IDEMPOTENCY_KEY)
 *           | HERALD_RESOURCE_EXHAUSTED (TOO_MANY_CALLS, MESSAGE_TOO_BIG, NOT_SIGNED, OUT_OF_MEMORY; NOT_SENT with the reason
 *             of a server's refusal: servers refuse most calls of the method, see overload_percent)
 *           | HERALD_INTERNAL (MALFORMED_REPLY: the reply is no envelope: MAYBE_EXECUTED)
 * Context:  blocks; not from a callback
 */
enum herald_code herald_call(struct herald_channel *channel, const struct herald_method_schema *method,
                             const ProtobufCMessage *request, const struct herald_call_options *options,
                             struct herald_reply *ret_reply);

/** The handle of a started call. */
struct herald_call;

/**
 * Receives the end of a call. The callback owns @reply: it copies the struct to keep it, or clears it.
 *
 * Called exactly once for each started call, on a thread of nng: perhaps before herald_call_start() has returned, but
 * never from inside it. It must not block, close the channel or make blocking calls; it may start calls.
 */
typedef void herald_call_done_fn(void *user, struct herald_reply *reply);

/**
 * Starts a call.
 *
 * @ret_call  a handle to cancel the call with; may be NULL. It is set before the callback can run; release it with
 *            herald_call_release()
 * Returns:  HERALD_OK: @done will be called
 *           | any other code, as herald_call() for a call that was not sent: @done is not called
 */
enum herald_code herald_call_start(struct herald_channel *channel, const struct herald_method_schema *method,
                                   const ProtobufCMessage *request, const struct herald_call_options *options,
                                   herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                   struct herald_error *reterr);
/** Cancels a call: it ends early with CANCELLED, and its callback still runs. Does nothing after the end. */
void herald_call_cancel(struct herald_call *call);
/** Releases the handle, before or after the end. A call that has not ended goes on. NULL is allowed. */
void herald_call_release(struct herald_call *call);

HERALD_END_DECLS

#endif
