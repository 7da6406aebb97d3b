#ifndef HERALD_DISTRIBUTION_RESULTS_H
#define HERALD_DISTRIBUTION_RESULTS_H

/*
 * Deliveries as messages, in the running call's arena. A delivery that goes on by itself has the time of its row, or the
 * time from which its channel takes calls, as far as the process knows: the later one. @process  NULL: times of the rows
 */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/distribution/delivery_store.h"
#include "server/distribution/engine.h"

/** When a delivery is tried next, at the earliest, by the database's clock, µs; 0: it is settled, or under way. */
int64_t delivery_next_us(const struct engine_process *process, const struct delivery_row *row);
/** Fills a result; its strings are the row's. Returns: false: no memory. */
bool delivery_result(const struct engine_process *process, const struct delivery_row *row,
                     Herald__Distribution__V1__ChannelResult **ret_result);
/** Makes the results of deliveries. Returns: false: no memory. */
bool delivery_results(const struct engine_process *process, const struct delivery_row *rows, size_t count,
                      Herald__Distribution__V1__ChannelResult ***ret_results);

#endif
