#ifndef HERALD_DEPLOY_KAFKA_CREATE_TOPICS_H
#define HERALD_DEPLOY_KAFKA_CREATE_TOPICS_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * Waits up to a minute for the broker at @bootstrap, creates the missing topics, and waits until each has a leader.
 * Errors go to stderr.
 *
 * @topics     comma-separated
 * @while_pid  give up when this process has ended; 0: none
 * Returns: whether all topics have a leader
 */
bool create_topics_at(const char *bootstrap, const char *topics, int partitions, pid_t while_pid);

#endif
