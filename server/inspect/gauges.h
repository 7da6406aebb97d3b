#ifndef HERALD_INSPECT_GAUGES_H
#define HERALD_INSPECT_GAUGES_H

/*
 * A service's own gauges, which Introspection/GetStats shows: numbers that go up and down, and states. Nothing is kept
 * here: each GetStats calls the functions that read them.
 */
#include "herald/error.h"
#include "herald/rpc/v1/introspection.pb-c.h"

struct arena;
struct rpc_server;

/** Where a read function writes. It lives in the call. */
struct gauge_sheet;

/** What reads some gauges. */
struct gauge_source {
    struct gauge_source *next; /* private */
    /**
     * Writes the gauges as they stand now, with gauge_put().
     *
     * Context: any thread, also that on which messages arrive: it must not wait, nor ask a store, nor suspend; several
     *          may run at the same time
     */
    void (*read)(void *self, struct gauge_sheet *sheet);
    void *self;
};

/**
 * Shows a source's gauges from now on, after those of earlier sources.
 *
 * @source   read and self are set; outlives the server's calls: rpc_server_drain()
 * Context:  the thread that sets the server up, before rpc_server_listen()
 */
void gauges_add(struct rpc_server *server, struct gauge_source *source);
/**
 * Writes one gauge. Beyond 256 a server's gauges are left out.
 *
 * @name   lower-case words: "in_flight"; static
 * @label  what it is of; "": the whole service; copied
 * @text   the name of the state, or what people should know; "": nothing; copied
 */
void gauge_put(struct gauge_sheet *sheet, const char *name, const char *label, double value, const char *text);
/**
 * Writes the gauges of a breaker: "breaker", "failure_rate" and "slow_rate".
 *
 * @state          its number, with its name @state_name
 * @failure_rate, @slow_rate  percent; below 0: too few calls
 */
void gauge_put_breaker(struct gauge_sheet *sheet, const char *label, int state, const char *state_name,
                       float failure_rate, float slow_rate);
/** Fills the gauges of all sources. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) */
enum herald_code gauges_fill(struct rpc_server *server, struct arena *arena,
                             Herald__Rpc__V1__GetStatsResponse *response, struct herald_error *reterr);

#endif
