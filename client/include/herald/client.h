#ifndef HERALD_CLIENT_H
#define HERALD_CLIENT_H

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

/*
 * Calls to Herald's servers: a blocking API and, under it, a callback API. The generated stubs
 * (herald/event/v1/event.client.h …) are thin typed wrappers over herald_call() and herald_call_start().
 *
 * Needs nng, protobuf-c and libcrypto, nothing else. All functions may be called from any thread unless they say
 * otherwise; a channel may be used by many threads at once.
 */

/** Largest message, envelope included, that a channel sends or takes, unless its options say otherwise. */
#define HERALD_DEFAULT_MAX_MESSAGE_BYTES (256u * 1024u)

/** What is known about the effect of a call. */
enum herald_outcome {
    HERALD_NOT_SENT,       /* the server never saw it: safe to retry */
    HERALD_EXECUTED,       /* a reply came, good or bad */
    HERALD_MAYBE_EXECUTED, /* sent, and no reply came */
};

/** "NOT_SENT", "EXECUTED", "MAYBE_EXECUTED". Static. */
const char *herald_outcome_name(enum herald_outcome outcome);

struct herald_channel;

/**
 * How a channel repeats calls by itself. It repeats a call that was NOT_SENT, whatever its method; one that may have
 * been executed only where the method's effect is READ or IDEMPOTENT; one that the server refused with UNAVAILABLE,
 * RESOURCE_EXHAUSTED or ABORTED where the effect allows it or the server says that it did not begin. Never beyond the
 * call's deadline, and only while the channel's retry budget lasts; a call whose server dies goes on at another
 * endpoint without a charge. Attempts that a server refuses because it is being restarted, it drains or wants the call
 * signed anew, are neither charged nor counted for as long as a connection may take (connect_timeout_ms): the call goes
 * on at another endpoint at once, or where there is none when the server is back. All attempts have the same call id
 * and idempotency key.
 */
struct herald_retry_policy {
    uint32_t max_attempts; /* the first one included; 1: no retries at all; 0: 4 */
    uint32_t
        backoff_min_ms; /* the wait before retry n is random in 0..min(backoff_max, backoff_min * 2^(n-1)); 0: 20 */
    uint32_t backoff_max_ms; /* 0: 2000. A server's retry_after_ms is waited for if it is longer */
    uint32_t budget_percent; /* retries for each hundred calls; 0: 20 */
    uint32_t budget_per_s;   /* and as many each second besides; 0: 10 */
};

/** TLS to servers: URLs that begin with tls+tcp://. PEM files; read again when a connection is made. */
struct herald_tls_options {
    const char *ca_file;     /* whom to trust; needed */
    const char *cert_file;   /* own certificate and chain, for mutual TLS; NULL: none */
    const char *key_file;    /* its private key; NULL: in cert_file */
    const char *server_name; /* name that the server's certificate must have; NULL: the URL's host. An address as host
                              * matches no name in a certificate: name one here then */
};

struct herald_channel_options {
    uint32_t connect_timeout_ms; /* longest wait for a connection before a call ends UNAVAILABLE, NOT_SENT; 0: 2000 */
    uint32_t max_message_bytes;  /* 0: HERALD_DEFAULT_MAX_MESSAGE_BYTES */
    uint32_t max_in_flight;      /* calls at once on this channel; beyond it RESOURCE_EXHAUSTED, NOT_SENT; 0: 4096 */
    struct herald_retry_policy retry;
    const struct herald_tls_options *tls; /* needed for tls+tcp:// URLs; copied */
    struct herald_credential *credential; /* goes with each call; NULL: none; the channel takes a share of it */
    const struct herald_interceptor *interceptors; /* in this order, the first is the outermost; copied */
    size_t interceptor_count;
    uint32_t health_check_ms; /* how often each endpoint's health is asked for; 0: 1000; UINT32_MAX: never */
    uint32_t resolve_ms;      /* how often host names are looked up again; 0: 30000 */
};

/**
 * Opens a channel to a server, or to several that serve the same. Connections are made in the background and again
 * whenever they are lost, with backoff.
 *
 * Of several endpoints each call goes to the healthy one with the fewest calls in flight. One that fails again and
 * again, says that it drains, or whose health is not SERVING is left out for a while, unless all are.
 *
 * @url      "tcp://host:port", "tls+tcp://host:port", "ipc:///path" or "inproc://name"; several with commas between
 *           them; a host name with several addresses is as many endpoints
 * @options  may be NULL
 * @ret_channel  set only on success; close it with herald_channel_close()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (a bad URL; TLS options or files that will not do)
 *           | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code herald_channel_open(const char *url, const struct herald_channel_options *options,
                                     struct herald_channel **ret_channel, struct herald_error *reterr);
/**
 * Closes a channel; calls in flight end with CANCELLED first, and their callbacks have returned when this does. Handles
 * that are still held may be released later.
 *
 * Context: blocks, up to 5 s where nng cannot close the connection; not from a callback. NULL is allowed
 */
void herald_channel_close(struct herald_channel *channel);
/** The URL it was opened with; lives as long as the channel. */
const char *herald_channel_url(const struct herald_channel *channel);

struct herald_metadata {
    const char *key;
    const uint8_t *value;
    size_t value_bytes;
};

struct herald_call_info;
struct herald_reply;

/**
 * Something that looks at every call of a channel: metrics, logs, traces, credentials of one's own. Its functions run
 * in the thread that makes the call or takes its end; they must not block. Either may be NULL.
 */
struct herald_interceptor {
    /** Before the call is packed, once for each attempt: may add metadata with herald_call_info_add(), or refuse the
     *  call by returning an error (NOT_SENT). */
    enum herald_code (*before)(void *user, struct herald_call_info *info, struct herald_error *reterr);
    /** After an attempt's end, in the opposite order. Only of those whose before() was run for it, refused or not. */
    void (*after)(void *user, const struct herald_call_info *info, const struct herald_reply *reply);
    void *user;
};

/** What an interceptor may know of a call. */
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
    uint32_t timeout_ms;         /* 0: the method's default deadline. It is exact: at its end the call ends here, even
                                  * if the server's own DEADLINE_EXCEEDED is on its way */
    const char *call_id;         /* UUIDv7; NULL: made here */
    const char *idempotency_key; /* NULL: made here for ONCE methods */
    const char *traceparent;     /* NULL: none */
    const struct herald_metadata *metadata;
    size_t metadata_count;
    const char *acting_user; /* for whom the channel's credential speaks; NULL: the request's field with the rule
                              * acting_user, else nobody */
    bool want_timings;       /* ask the server where the time went */
};

/** Where a call's time went, in the server, microseconds. */
struct herald_timings {
    bool known;
    uint64_t queue_us;      /* from the arrival of its message until its handler began */
    uint64_t handler_us;    /* the handler, what it waited for included */
    uint64_t downstream_us; /* of that, in calls to other servers */
};

/** Longest idempotency key, bytes. */
#define HERALD_IDEMPOTENCY_KEY_MAX 128u

/** The end of a call. Zero it before first use; clear it with herald_reply_clear() whatever the code was. */
struct herald_reply {
    enum herald_outcome outcome;
    struct herald_error error;       /* error.code is the call's code */
    const ProtobufCMessage *message; /* the response when the code is OK, else NULL; owned by the reply */
    const uint8_t *payload;          /* the response's bytes as they came; owned by the reply */
    size_t payload_bytes;
    char call_id[37];                                     /* under which the server logged it */
    char idempotency_key[HERALD_IDEMPOTENCY_KEY_MAX + 1]; /* given or made: a ONCE call that is MAYBE_EXECUTED is
                                                           * repeated safely with it; empty: it had none */
    uint32_t attempts;                                    /* how many were made; 0: refused here */
    const char *url; /* the endpoint of the last attempt; lives as long as the channel; NULL: none */
    struct herald_timings timings;
    const struct herald_metadata *metadata; /* that came with the reply; owned by the reply */
    size_t metadata_count;
    void *memory; /* private */
};

/** Frees what the reply holds; it may then be used again. NULL is allowed. */
void herald_reply_clear(struct herald_reply *reply);

/**
 * Calls a method and blocks until its end.
 *
 * @request    of the method's request type; not validated here beyond what packing needs: the server does that
 * @options    may be NULL
 * @ret_reply  zeroed or cleared before; always set, so that its outcome and error can be read
 * Returns:  the call's code, the same as ret_reply->error.code. Local codes: HERALD_UNAVAILABLE (no connection,
 *           NOT_SENT; or lost, MAYBE_EXECUTED), HERALD_DEADLINE_EXCEEDED, HERALD_RESOURCE_EXHAUSTED (message too big,
 *           too many calls in flight: NOT_SENT), HERALD_INTERNAL (a reply that is no envelope)
 * Context:  blocks; not from a callback
 */
enum herald_code herald_call(struct herald_channel *channel, const struct herald_method_schema *method,
                             const ProtobufCMessage *request, const struct herald_call_options *options,
                             struct herald_reply *ret_reply);

/** A started call. */
struct herald_call;

/**
 * Takes the end of a call: @reply is the callback's to take (copy the struct) or to clear.
 *
 * Called exactly once for each started call, on a thread of nng, possibly before herald_call_start() has returned, but
 * never from inside it. It must not block, close the channel or make blocking calls; it may start calls.
 */
typedef void herald_call_done_fn(void *user, struct herald_reply *reply);

/**
 * Starts a call.
 *
 * @ret_call  may be NULL; if not, it is set before the callback can run, and must be given back with
 *            herald_call_release(). Used to cancel.
 * Returns:  HERALD_OK: done will be called | an error: done is not called, the outcome is NOT_SENT
 */
enum herald_code herald_call_start(struct herald_channel *channel, const struct herald_method_schema *method,
                                   const ProtobufCMessage *request, const struct herald_call_options *options,
                                   herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                   struct herald_error *reterr);
/** Asks for an early end with CANCELLED; the callback still comes. After the end it does nothing. */
void herald_call_cancel(struct herald_call *call);
/** Gives the handle back, before or after the end; the call goes on. NULL is allowed. */
void herald_call_release(struct herald_call *call);

HERALD_END_DECLS

#endif
