#include "server/store/kafka/kafka_lag.h"

#define ASK_MS 2000

/* The group's offsets of the places; NULL: it did not answer. */
static rd_kafka_topic_partition_list_t *ask_group(rd_kafka_t *kafka, const char *topic,
                                                  const struct kafka_place *places, size_t count) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, topic, places[i].partition);
    }
    if (rd_kafka_committed(kafka, list, ASK_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_topic_partition_list_destroy(list);
        return NULL;
    }
    return list;
}

/* Adds the records that wait in one partition. */
static enum kafka_sight look_at_lag(rd_kafka_t *kafka, const char *topic, const struct kafka_place *place,
                                    int64_t committed, int64_t *lag) {
    int64_t low = 0, high = 0;
    if (rd_kafka_query_watermark_offsets(kafka, topic, place->partition, &low, &high, ASK_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_SIGHT_DARK;
    }
    int64_t next = place->next >= 0 ? place->next : committed;
    if (place->next > high) {
        return KAFKA_SIGHT_ANEW;
    }
    if (next < low || next > high) {
        next = low; /* the consumer begins there */
    }
    *lag += high - next;
    return *lag > 0 ? KAFKA_SIGHT_BEHIND : KAFKA_SIGHT_FINE;
}

enum kafka_sight kafka_lag_look(rd_kafka_t *kafka, const char *topic, const struct kafka_place *places, size_t count,
                                int64_t *ret_lag) {
    int64_t lag = 0;
    enum kafka_sight sight = KAFKA_SIGHT_FINE;
    if (count > 0) {
        rd_kafka_topic_partition_list_t *offsets = ask_group(kafka, topic, places, count);
        if (!offsets) {
            return KAFKA_SIGHT_DARK;
        }
        for (size_t i = 0; i < count && sight <= KAFKA_SIGHT_BEHIND; i++) {
            int64_t committed = offsets->elems[i].offset;
            bool forgotten = places[i].committed >= 0 && committed < places[i].committed;
            sight = forgotten ? KAFKA_SIGHT_ANEW : look_at_lag(kafka, topic, &places[i], committed, &lag);
        }
        rd_kafka_topic_partition_list_destroy(offsets);
    }
    if (sight != KAFKA_SIGHT_DARK) {
        *ret_lag = lag;
    }
    return sight;
}
