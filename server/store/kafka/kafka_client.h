#ifndef HERALD_KAFKA_KAFKA_CLIENT_H
#define HERALD_KAFKA_KAFKA_CLIENT_H

/* What the producer and the consumer share: configuration and the meaning of errors. */

#include "herald/error.h"

#include <librdkafka/rdkafka.h>
#include <stddef.h>

struct kafka_setting {
    const char *name;
    const char *value;
};

/**
 * Sets the properties that the process's clients have beside Herald's own: all of them speak to one cluster. Each is one
 * that kafka_property_check() takes.
 *
 * @properties  a map of settings (settings_map.h); copied. NULL or empty: none
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context:  before the first client is opened, by one thread
 */
enum herald_code kafka_client_use(const char *properties, struct herald_error *reterr);
/**
 * Checks one property.
 *
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (KAFKA_SETTING: Herald decides it, librdkafka has no such property, the
 *          value is wrong, or the file that it names cannot be read; the message is a clause without the name, and shows no secret)
 */
enum herald_code kafka_property_check(const char *name, const char *value, struct herald_error *reterr);
/**
 * Checks that properties, each of which is good, fit together, and that the files that they name can be read.
 *
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (KAFKA_SETTING)
 * Context: makes a client that connects nowhere; milliseconds
 */
enum herald_code kafka_properties_check(const char *properties, struct herald_error *reterr);

/**
 * Makes a configuration: the settings common to all clients of Herald, then @settings, then the properties of
 * kafka_client_use(). librdkafka's own log lines are
 * dropped: errors reach the caller through the error callback and results.
 *
 * @ret_conf  free with rd_kafka_conf_destroy() unless librdkafka took it over
 * Returns:   HERALD_OK | HERALD_INVALID_ARGUMENT (KAFKA_SETTING: names the setting)
 */
enum herald_code kafka_client_conf(const char *bootstrap, const char *client_id, const struct kafka_setting *settings,
                                   size_t count, rd_kafka_conf_t **ret_conf, struct herald_error *reterr);

/**
 * Translates a delivery's error and persistence for the caller that waits for it. The origin in @reterr is Kafka's
 * code.
 *
 * Returns: HERALD_OK: acknowledged | HERALD_INVALID_ARGUMENT (KAFKA_RECORD_REFUSED)
 *          | HERALD_UNAVAILABLE (KAFKA_QUEUE_FULL, KAFKA_UNAVAILABLE): not sent
 *          | HERALD_OUTCOME_UNKNOWN (KAFKA_OUTCOME_UNKNOWN): the record may be there
 */
enum herald_code kafka_delivery_result(rd_kafka_resp_err_t err, rd_kafka_msg_status_t status, const char *topic,
                                       struct herald_error *reterr);

#endif
