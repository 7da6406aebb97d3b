#ifndef HERALD_KAFKA_KAFKA_HEALTH_H
#define HERALD_KAFKA_KAFKA_HEALTH_H

/*
 * Watches whether Kafka serves. A thread asks for metadata, which only a broker can answer: every second, and at once
 * after a client's error. It reports each change.
 */

#include "herald/error.h"

#include <librdkafka/rdkafka.h>

struct kafka_health;

struct kafka_health_options {
    /**
     * The client to ask, whose locally known topics must exist; NULL: none now. Returned by give_back() after the
     * question.
     */
    rd_kafka_t *(*borrow)(void *owner);
    void (*give_back)(void *owner, rd_kafka_t *client);
    /**
     * Looks further, with the client borrowed. May be NULL; may block for seconds.
     *
     * @answer   what is wrong with Kafka's answer; NULL: nothing
     * Returns:  HERALD_OK | any code: without @answer it is reported
     */
    enum herald_code (*look)(void *owner, rd_kafka_t *client, const struct herald_error *answer,
                             struct herald_error *reterr);
    void *owner;
    const char *bootstrap; /* for messages; must outlive the watch */
    void (*on_health)(void *user, const struct herald_error *error);
    void *user;
};

/** Starts the watch; the first report comes within seconds. Returns: NULL: no memory, or no thread. */
struct kafka_health *kafka_health_start(const struct kafka_health_options *options);
/** Passes on a client's error, which explains the next report, and asks at once. Any thread. NULL is allowed. */
void kafka_health_hint(struct kafka_health *health, const char *text);
/**
 * Says how a delivery to a topic ended. A broker that answers questions and takes no records is not healthy: from the
 * first failure until a record is acknowledged, or none has failed for a while. Any thread. NULL is allowed.
 */
void kafka_health_delivery(struct kafka_health *health, const char *topic, rd_kafka_resp_err_t err);
/** Asks at once. Any thread. NULL is allowed. */
void kafka_health_hurry(struct kafka_health *health);
/** Ends the thread. Blocks for up to 2 s, the length of one question. NULL is allowed. */
void kafka_health_stop(struct kafka_health *health);

#endif
