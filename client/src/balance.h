#ifndef HERALD_CLIENT_BALANCE_H
#define HERALD_CLIENT_BALANCE_H

/*
 * Chooses the endpoint of a call, and ejects failing endpoints for a while. Pure: the caller passes the time (monotonic
 * milliseconds) and random numbers.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The results of one endpoint so far. Zeroed: none yet. */
struct herald_outlier {
    uint32_t failures;    /* in a row */
    uint32_t ejections;   /* in a row, without a success in between */
    int64_t out_until_ms; /* ejected until then */
};

/** Failures in a row after which an endpoint is ejected. */
#define HERALD_OUTLIER_FAILURES 5u
/** Length of the first ejection; it doubles each time up to the maximum; both ± 20 %. */
#define HERALD_OUTLIER_MIN_MS 1000u
#define HERALD_OUTLIER_MAX_MS 30000u

/** Counts a success. */
void herald_outlier_succeeded(struct herald_outlier *outlier);
/**
 * Counts a failure.
 *
 * @others  how many other endpoints are not ejected; if none, this one stays
 * Returns:  true: it is ejected from now on
 */
bool herald_outlier_failed(struct herald_outlier *outlier, size_t others, int64_t now_ms, uint64_t random);
/** Ejects an endpoint that has no room for the connection, for @ms but at most HERALD_OUTLIER_MAX_MS. */
void herald_outlier_turned_away(struct herald_outlier *outlier, int64_t now_ms, uint32_t ms);

struct herald_candidate {
    uint32_t in_flight;
    bool connected;
    bool out;     /* ejected, or its health is not good */
    bool leaving; /* its server drains */
    bool avoid;   /* the call's last attempt failed there */
};

/**
 * Chooses the best endpoint by connection and health, then by fewest calls in flight, then by turns.
 *
 * @turn  a number that grows by one with each choice
 * Returns:  an index; @count at least 1
 */
size_t herald_balance_choose(const struct herald_candidate *candidates, size_t count, uint32_t turn);

#endif
