#ifndef HERALD_CLIENT_BALANCE_H
#define HERALD_CLIENT_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which of several endpoints a call goes to, and which are left out for a while. Pure: times are monotonic
 * milliseconds and random numbers that the caller gives.
 */

/** What one endpoint's results so far say about it. Zeroed: nothing. */
struct herald_outlier {
    uint32_t failures;    /* in a row */
    uint32_t ejections;   /* in a row, without a success in between */
    int64_t out_until_ms; /* left out till then */
};

/** Failures in a row after which an endpoint is left out. */
#define HERALD_OUTLIER_FAILURES 5u
/** For how long the first time; doubled each time up to the most; both ± 20 %. */
#define HERALD_OUTLIER_MIN_MS 1000u
#define HERALD_OUTLIER_MAX_MS 30000u

void herald_outlier_succeeded(struct herald_outlier *outlier);
/**
 * Counts a failure.
 *
 * @others  how many other endpoints are not left out; with none this one stays
 * Returns:  true if it is left out from now on
 */
bool herald_outlier_failed(struct herald_outlier *outlier, size_t others, int64_t now_ms, uint64_t random);
/** The endpoint has no room for the connection for @ms, at most HERALD_OUTLIER_MAX_MS: it is left out till then. */
void herald_outlier_turned_away(struct herald_outlier *outlier, int64_t now_ms, uint32_t ms);

struct herald_candidate {
    uint32_t in_flight;
    bool connected;
    bool out;     /* ejected, or its health is not good */
    bool leaving; /* it said that it drains */
    bool avoid;   /* the attempt before failed there */
};

/**
 * Chooses: the best by connection and health, of these the one with the fewest calls in flight, of these by turns.
 *
 * @turn  a number that grows by one with each choice
 * Returns:  an index; @count at least 1
 */
size_t herald_balance_choose(const struct herald_candidate *candidates, size_t count, uint32_t turn);

#endif
