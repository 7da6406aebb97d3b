#ifndef HERALD_FAKES_FAKES_H
#define HERALD_FAKES_FAKES_H

#include "deploy/fakes/channels.h"
#include "herald/error.h"
#include "server/outgoing/webhook.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The fake channels over HTTP. Each connection has a thread, so that no channel waits for another.
 *
 *   POST   /channels/{CHANNEL}/posts         a signed webhook -> {"id": …}
 *   GET    /channels/{CHANNEL}/posts/{key}   look-up by idempotency key -> {"id": …} or 404
 *   PUT    /channels/{CHANNEL}/behaviour     {"mode": …, "delayMs": …, "status": …, "retryAfterS": …, "count": …}
 *   GET    /channels                         all behaviours
 *   GET    /log, DELETE /log                 accepted posts, one JSON line each
 *   GET    /rejected                         posts not accepted, one JSON line each
 *   GET    /health                           {"status": "ok"}
 */
struct fakes;
struct fakes_options {
    const char *host;                    /* address to listen on */
    uint16_t port;                       /* 0: any */
    const struct webhook_secret *secret; /* NULL: signatures are not checked; copied */
    bool chatty;                         /* a line on stderr for each post */
};

/**
 * Starts the fake channels.
 *
 * @ret_fakes  set only on success; end it with fakes_stop()
 * Returns:  HERALD_OK | HERALD_UNAVAILABLE (CANNOT_LISTEN) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code fakes_start(const struct fakes_options *options, struct fakes **ret_fakes,
                             struct herald_error *reterr);
/** Ends all requests in flight, closes and frees. NULL is allowed. */
void fakes_stop(struct fakes *fakes);
/** The base URL, "http://127.0.0.1:7105", with the actual port. */
const char *fakes_url(const struct fakes *fakes);
struct fake_channels *fakes_channels(struct fakes *fakes);

#endif
