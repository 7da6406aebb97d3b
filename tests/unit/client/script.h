#ifndef HERALD_TESTS_SCRIPT_H
#define HERALD_TESTS_SCRIPT_H

#include "herald/client.h"
#include "tests/unit/client/peer.h"

/* A peer that answers calls of JobService as a test tells it, and keeps what it saw of them. */

/* Of so many calls it keeps what it saw. */
#define SCRIPT_SEEN_MOST 64

struct script {
    struct peer peer;
    atomic_int fails;    /* so many calls get the failure, then all succeed; -1: all get it */
    atomic_int action;   /* enum peer_action of the failure */
    atomic_int hang_ups; /* so many calls, before all else, lose their connection */
    atomic_int code;     /* of the failure */
    _Atomic(const char *) reason;
    _Atomic(uint32_t) retry_after_ms;

    /* Of the calls that came, by their order. */
    pthread_mutex_t mutex;
    int seen_count;
    struct script_seen {
        uint32_t number, timeout_ms;
        uint64_t ticket;
        bool want_timings;
        char call_id[64], key[64];
        size_t metadata_count;
        char metadata[4][32]; /* "key=value" */
        uint8_t payload[256]; /* the first bytes */
        size_t payload_bytes;
        char auth; /* 's'ignature, 'b'earer, or '-' */
        char key_id[80], user[80], bearer[80];
        int64_t time_ms;
        uint8_t nonce[32], mac[32];
        size_t nonce_bytes, mac_bytes;
    } seen[SCRIPT_SEEN_MOST];
};

/** Opens a peer with health SERVING, on a free TCP port unless told otherwise. Free with script_close(). */
struct script *script_open(const char *url);
/** The same over TLS: see peer_open_tls(). */
struct script *script_open_tls(const char *cert_file, const char *key_file, const char *client_ca);
/** The same at a URL. NULL: on a free port. */
struct script *script_open_tls_at(const char *url, const char *cert_file, const char *key_file, const char *client_ca);
void script_close(struct script *script);
/** Opens a peer, and a channel to it. */
struct script *script_serve(const struct herald_channel_options *options, struct herald_channel **ret_channel);
/** Closes both. */
void script_end(struct script *script, struct herald_channel *channel);
/** What the peer saw of call @index; waits for it. */
struct script_seen script_seen(struct script *script, int index);

/** Blocking calls of JobService; the reply is cleared after @ret_reply, if not NULL, took a copy without its memory. */
enum herald_code call_read(struct herald_channel *channel, const struct herald_call_options *options,
                           struct herald_reply *ret_reply);
enum herald_code call_once(struct herald_channel *channel, const struct herald_call_options *options,
                           struct herald_reply *ret_reply);
/** Opens a channel; fails the test if it cannot. */
struct herald_channel *channel_to(const char *url, const struct herald_channel_options *options);

#endif
