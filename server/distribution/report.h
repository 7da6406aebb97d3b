#ifndef HERALD_DISTRIBUTION_REPORT_H
#define HERALD_DISTRIBUTION_REPORT_H

/*
 * What is told in Kafka: DistributionCompleted once, when all deliveries of an event are settled. Changes before that, and
 * later changes by a person, are told by DistributionProgressed.
 */
#include "server/distribution/round.h"

/**
 * Builds the record of DistributionCompleted from a round that knows the whole distribution, all settled.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) | as herald_json_write()
 * Context: a task with a call
 */
enum herald_code report_build_completed_of_round(const struct round *round, struct outbox_row *ret_row,
                                                 struct herald_error *reterr);
/** Sends a record whose row is committed, in a task of its own; without memory for one the relay sends it. */
void report_send(struct engine *engine, const struct outbox_row *row);
/**
 * Stores the reports that are due.
 *
 * Returns: HERALD_OK | as delivery_store_load()
 * Context: suspends the task
 */
TASK_FN enum herald_code report_due(struct engine *engine, struct herald_error *reterr);

#endif
