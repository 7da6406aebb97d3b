#ifndef HERALD_BENCH_LOAD_H
#define HERALD_BENCH_LOAD_H

#include <stdatomic.h>
#include <stdint.h>

struct herald_channel;

/* Calls of GetJob through the client library, each one attempt unless said otherwise, and what became of them. */

#define LOAD_LATENCY_MAX_US 1000000u /* longer ones count as this */

typedef atomic_uint load_histogram[LOAD_LATENCY_MAX_US + 1];

/** May lie in memory that processes share. */
struct load {
    _Atomic uint64_t begun;
    _Atomic uint64_t good;
    _Atomic uint64_t good_ever;  /* before and after the time that counts, too */
    _Atomic uint64_t refused;    /* RESOURCE_EXHAUSTED */
    _Atomic uint64_t failed;     /* answered otherwise */
    _Atomic uint64_t unanswered; /* sent, and no reply came */
    _Atomic uint64_t unsent;
    _Atomic uint64_t held;         /* of these, turned away by the channel, because the server refuses most calls */
    atomic_uint delay_max_us;      /* by which a call of an open loop began late */
    load_histogram good_us;        /* seen by the client */
    load_histogram refused_us;     /* likewise; in an open loop from when the call should have begun */
    load_histogram refused_server; /* from the message's arrival at the server to its reply, µs */
};

/** Zeroed, shared with children. */
struct load *load_new(void);
void load_reset(struct load *load);
/** A client of one connection, which lasts until the process ends. It sends all calls, however many are refused. */
struct herald_channel *load_connect(const char *url);
/** The same, with the defaults of channels: it repeats what is refused, and holds calls back when most are. */
struct herald_channel *load_connect_as_usual(const char *url);
/** @in_flight calls at once, each followed by the next, for @ms after a warm-up. Returns the seconds counted. */
double load_closed(struct herald_channel *channel, unsigned in_flight, uint32_t ms, struct load *load);
/**
 * @rate calls a second by the clock over @channels connections for @ms, whatever their ends; waits for all ends. A client
 * that cannot begin so many begins as many as it can.
 *
 * @overload_percent  of struct herald_channel_options; UINT32_MAX: all calls are sent, however many are refused
 */
void load_open(const char *url, unsigned channels, uint32_t overload_percent, double rate, uint32_t ms,
               struct load *load);
/** Microseconds that @part of the histogram's calls did not exceed. */
unsigned load_percentile(const load_histogram histogram, double part);

#endif
