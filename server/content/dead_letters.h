#ifndef HERALD_CONTENT_DEAD_LETTERS_H
#define HERALD_CONTENT_DEAD_LETTERS_H

/*
 * The records that no worker can use, on their way to the dead-letter topic. They wait beside the hands, set aside at the
 * consumer, and one task sends them. While the topic takes none they wait here, bounded in number and bytes; their
 * offsets are not committed.
 */

#include "server/content/content_health.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"
#include "server/store/kafka/kafka.h"

struct dead_letters;
struct dead_letters_options {
    struct loop *loop;
    struct kafka_producer *producer;
    const char *topic;
    const struct content_health *health;
    unsigned most; /* that wait; 0: 256 */
};

/** Starts the task. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK). Loop's thread. */
enum herald_code dead_letters_start(const struct dead_letters_options *options, struct dead_letters **ret_letters,
                                    struct herald_error *reterr);
/**
 * Takes a record over: it becomes done when the topic has it.
 *
 * @consumer  of the record
 * Returns:   HERALD_OK | HERALD_CANCELLED, …: the call has to end; the record is still the caller's
 * Context:   suspends the task until there is room; the loop
 */
TASK_FN enum herald_code dead_letters_put(struct dead_letters *letters, struct kafka_consumer *consumer,
                                          struct kafka_record *record, const struct herald_error *why,
                                          struct herald_error *reterr);
/** Records that wait. Any thread. */
unsigned dead_letters_count(const struct dead_letters *letters);
/** Abandons the records that wait and ends the task. NULL is allowed. Loop's thread. */
void dead_letters_stop(struct dead_letters *letters);
/** Frees it, after the loop has ended. NULL is allowed. */
void dead_letters_free(struct dead_letters *letters);

#endif
