#ifndef HERALD_DISTRIBUTION_WRITER_H
#define HERALD_DISTRIBUTION_WRITER_H

/*
 * Stores the changes of deliveries. Those that come together share one statement and one commit: a result waits up to
 * channels.gather_ms for the others of its round; a change for which a task waits takes all others along at once.
 *
 * Nothing is lost while the database is away: changes stay here and are stored when it is back.
 */
#include "server/distribution/round.h"

/** Starts the task. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK). The loop's thread. */
enum herald_code writer_start(struct engine *engine, struct writer **ret_writer, struct herald_error *reterr);
/** Ends the task, once what it has is stored or cannot be; its memory is freed then. NULL is allowed. The loop's
 *  thread. */
void writer_stop(struct writer *writer);
/**
 * Hands over the last change of a drive; the claim ends with it.
 *
 * @delivery    its row as it is to be stored; its round lives until then
 * @next_in_ms  when any process may take the delivery; unused when it is settled
 */
void writer_put(struct writer *writer, struct delivery *delivery, uint64_t next_in_ms);
/**
 * Stores a change after which the drive goes on, and the claim stays.
 *
 * Returns: HERALD_OK | HERALD_ABORTED (DELIVERY_MOVED): another process has the delivery
 *          | HERALD_CANCELLED, …: the call had to end
 * Context: suspends the task
 */
TASK_FN enum herald_code writer_put_and_wait(struct writer *writer, struct delivery *delivery,
                                             struct herald_error *reterr);
/** A drive has ended: a round may be whole now. */
void writer_kick(struct writer *writer);

#endif
