#ifndef HERALD_DISTRIBUTION_ENGINE_H
#define HERALD_DISTRIBUTION_ENGINE_H

/*
 * The delivery engine of one loop. A delivery belongs to the engine, not to the call that asked for it: what is not
 * settled stands in its row with a time, and any process takes it up then.
 *
 *   rounds  (round.h)   deliveries of one event that this loop drives now, each in a task of its own
 *   writer  (writer.h)  stores their changes, those that come together in one transaction
 *   look    (look.h)    takes due deliveries, in the background; reads controls, publishes reports
 *   watch   (watch.h)   those who wait for a distribution's next change
 */
#include "server/distribution/channel_state.h"
#include "server/distribution/watch.h"
#include "server/durable/instance.h"
#include "server/durable/outbox_relay.h"
#include "server/outgoing/http.h"
#include "server/settings/settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct writer;
struct look;

#define ENGINE_LOOPS_MAX 64u /* of the setting rpc.loops */

/** How many deliveries of each channel wait, as last counted. */
struct engine_backlog {
    atomic_ullong asked_us, counted_us; /* monotonic; 0: never */
    atomic_ullong waiting[CHANNEL_COUNT], unknown[CHANNEL_COUNT];
};

/** What the loops of a process share. */
struct engine_process {
    struct channel_state **channels;              /* CHANNEL_COUNT */
    struct instance *instances[ENGINE_LOOPS_MAX]; /* one a loop: its claims are the loop's own */
    atomic_uint driving;                          /* deliveries that are driven now, by all loops */
    atomic_uint unstored;                         /* changes that are not stored yet, of all loops */
    atomic_bool draining;                         /* nothing more is taken */
    atomic_uint watching;                         /* callers that wait for a change, of all loops */
    struct engine_backlog backlog;                /* for gauges: engine_gauges.h */
};

struct engine {
    struct engine_process *process;
    struct instance *instance;
    const struct settings *settings;
    struct loop *loop;
    struct db *db;
    struct http *http;
    struct outbox_relay *outbox;
    struct writer *writer;
    struct look *look;
    struct watch watch;
    struct round *rounds; /* in progress on this loop */
    bool must_audit;      /* a claim was lost from sight: look.h */
};

/**
 * Starts the engine's background tasks.
 *
 * @engine  process, instance, settings, loop, db, http and outbox are set; it must live until the loop has ended
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK); engine_stop() is to be called then too
 * Context: the loop's thread
 */
enum herald_code engine_start(struct engine *engine, struct herald_error *reterr);
/**
 * Takes nothing more, waits until what is on its way has ended and is stored, and releases the process's claims.
 *
 * @wait_ms  longest wait for what is on its way
 * Context:  blocks; the main thread, while the loops and the database still run
 */
void engine_drain(struct engine_process *process, uint32_t wait_ms);
/** Cancels all that the engine waits for. What was on its way is found by its claim. The loop's thread. */
void engine_stop(struct engine *engine);
/** The state of a channel of this process. */
struct channel_state *engine_channel(const struct engine *engine, const struct channel_row *row);

#endif
