#ifndef HERALD_KAFKA_KAFKA_CLIENT_H
#define HERALD_KAFKA_KAFKA_CLIENT_H

#include "herald/error.h"

#include <librdkafka/rdkafka.h>
#include <stddef.h>

/* What the producer and the consumer share: configuration and the meaning of errors. */

struct kafka_setting {
    const char *name;
    const char *value;
};

/**
 * Makes a configuration: the settings of all our clients, then @settings. librdkafka's own log lines are dropped: what
 * matters comes through the error callback and results.
 *
 * @ret_conf  free with rd_kafka_conf_destroy() unless handed on
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "KAFKA_SETTING") naming the setting
 */
enum herald_code kafka_client_conf(const char *bootstrap, const char *client_id, const struct kafka_setting *settings,
                                   size_t count, rd_kafka_conf_t **ret_conf, struct herald_error *reterr);

/** What a producer's error and a record's persistence mean to who waits for it. Fills @reterr with origin. */
enum herald_code kafka_delivery_result(rd_kafka_resp_err_t err, rd_kafka_msg_status_t status, const char *topic,
                                       struct herald_error *reterr);

#endif
