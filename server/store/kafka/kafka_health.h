#ifndef HERALD_KAFKA_KAFKA_HEALTH_H
#define HERALD_KAFKA_KAFKA_HEALTH_H

#include "herald/error.h"

#include <librdkafka/rdkafka.h>

/*
 * Watches whether Kafka serves: a thread asks for metadata, which works only with a broker, every second and at once
 * when told of an error, and reports each change.
 */
struct kafka_health;

struct kafka_health_options {
    /** The client to ask, whose locally known topics must exist; NULL: none just now. Given back after the question. */
    rd_kafka_t *(*borrow)(void *owner);
    void (*give_back)(void *owner, rd_kafka_t *client);
    void *owner;
    const char *bootstrap; /* for messages; must live as long */
    void (*on_health)(void *user, const struct herald_error *error);
    void *user;
};

/** Returns NULL without memory or thread. The first report comes within seconds. */
struct kafka_health *kafka_health_start(const struct kafka_health_options *options);
/** Says what a client complained of: it explains the next report. Any thread. NULL is allowed. */
void kafka_health_hint(struct kafka_health *health, const char *text);
/** Asks at once. Any thread. NULL is allowed. */
void kafka_health_hurry(struct kafka_health *health);
/** Ends the thread; blocks up to the length of a question (2 s). NULL is allowed. */
void kafka_health_stop(struct kafka_health *health);

#endif
