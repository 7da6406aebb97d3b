#ifndef HERALD_FAKES_FAKES_H
#define HERALD_FAKES_FAKES_H

#include "deploy/fakes/channels.h"
#include "herald/error.h"
#include "server/outgoing/webhook.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The fake channels over HTTP: three signed webhooks, Instagram's Graph API, Kakao's brand messages through a dealer, and
 * the pages of a blog. docs/fakes.md lists the routes. One thread serves all connections; a request that waits costs
 * a timer, not a thread.
 */
struct fakes;

/** A secret of the webhooks. A channel with secrets of its own accepts only those. */
struct fakes_secret {
    enum fake_channel channel; /* FAKE_CHANNEL_COUNT: of each channel without one of its own */
    struct webhook_secret secret;
};
#define FAKES_SECRETS_MAX 32

struct fakes_options {
    const char *host;     /* address to listen on */
    uint16_t port;        /* 0: any */
    const char *tls_host; /* NULL: none; address of a TLS port whose certificate is for another name */
    uint16_t tls_port;    /* 0: any */
    const struct fakes_secret *secrets;
    size_t secret_count;          /* 0: signatures of webhooks are not checked; at most FAKES_SECRETS_MAX; copied */
    bool all_webhooks;            /* every channel is a webhook too, and its posts can be looked up */
    const char *instagram_token;  /* NULL: any; copied */
    uint32_t instagram_quota;     /* posts in 24 hours; 0: 100 */
    uint32_t container_ms;        /* time that a container takes; 0: 500 */
    const char *kakao_access_key; /* NULL: any; copied */
    const char *kakao_secret;     /* NULL: signatures are not checked; copied */
    int kst_minute;               /* time of day that Kakao's clock stands at, minutes after 00:00; -1: the real one */
    const char *scenario;         /* NULL: none; path of a scenario file (docs/fakes.md) */
    bool chatty;                  /* a line on stderr for each post */
};

/**
 * Starts the fake channels.
 *
 * @ret_fakes  set only on success; end it with fakes_stop()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (UNREADABLE, or BAD_SETTINGS, whose message names line and member of
 *           the scenario) | HERALD_UNAVAILABLE (CANNOT_LISTEN) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code fakes_start(const struct fakes_options *options, struct fakes **ret_fakes,
                             struct herald_error *reterr);
/** Ends all requests in flight, closes and frees. NULL is allowed. */
void fakes_stop(struct fakes *fakes);
/** The base URL, "http://127.0.0.1:7105", with the actual port. */
const char *fakes_url(const struct fakes *fakes);
/** The base URL of the TLS port, "https://127.0.0.1:7116"; "" without one. */
const char *fakes_tls_url(const struct fakes *fakes);
/** Reads a time of day, "21:00", as minutes after 00:00. Returns: -1: it is none */
int fakes_read_time(const char *text);
/** The behaviours, which any thread may set. */
struct fake_channels *fakes_channels(struct fakes *fakes);

#endif
