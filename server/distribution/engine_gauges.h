#ifndef HERALD_DISTRIBUTION_ENGINE_GAUGES_H
#define HERALD_DISTRIBUTION_ENGINE_GAUGES_H

/*
 * The engine's gauges in Introspection/GetStats: how each channel stands in this process, and what the engine does.
 *
 * How many deliveries wait is a count over an index, so nobody counts unless somebody asks: a read of the gauges asks, and
 * the first loop counts (look.h) every few seconds for half a minute. Until then, these two gauges are missing.
 */
#include "server/distribution/channel_store.h"
#include "server/distribution/engine.h"
#include "server/inspect/gauges.h"

/** Writes the gauges, and asks for a count. @process  a struct engine_process. Context: any thread; does not wait */
void engine_gauges_read(void *process, struct gauge_sheet *sheet);
/** Whether a read has asked for a count lately. Context: any thread */
bool engine_backlog_is_wanted(struct engine_process *process);
/** Keeps a count. @backlogs  CHANNEL_COUNT of them. Context: any thread */
void engine_backlog_keep(struct engine_process *process, const struct channel_backlog *backlogs);

#endif
