#include "server/store/kafka/kafka_lag.h"

#include "client/base/clock.h"

#define ASK_MS 2000

/* Milliseconds of the look that are left. */
static int time_left(uint64_t until_us) {
    uint64_t now_us = herald_monotonic_us();
    return now_us < until_us ? (int)((until_us - now_us) / 1000) : 0;
}

static rd_kafka_topic_partition_list_t *list_places(const char *topic, const struct kafka_place *places, size_t count) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, topic, places[i].partition);
    }
    return list;
}

/* Puts the group's offsets into the list. Returns whether it answered. */
static bool ask_group(rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list, uint64_t until_us) {
    return rd_kafka_committed(kafka, list, time_left(until_us)) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/*
 * Puts the ends of the partitions into the list. Returns whether all answered.
 *
 * Not by rd_kafka_query_watermark_offsets(): librdkafka 2.0.2 repeats that question for as long as it tries to connect to
 * a broker that has died, whatever the time-out.
 *
 * @end  RD_KAFKA_OFFSET_BEGINNING | RD_KAFKA_OFFSET_END
 */
static bool ask_partitions(rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list, int64_t end, uint64_t until_us) {
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = end;
    }
    int left_ms = time_left(until_us);
    bool answered = left_ms > 0 && rd_kafka_offsets_for_times(kafka, list, left_ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; answered && i < list->cnt; i++) {
        answered = list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR && list->elems[i].offset >= 0;
    }
    return answered;
}

/* Adds the records that wait in one partition. */
static enum kafka_sight look_at_lag(const struct kafka_place *place, int64_t committed, int64_t low, int64_t high,
                                    int64_t *lag) {
    int64_t next = place->next >= 0 ? place->next : committed;
    if (place->next > high || (place->committed >= 0 && committed < place->committed)) {
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
    if (count == 0) {
        *ret_lag = 0;
        return KAFKA_SIGHT_FINE;
    }
    int64_t lag = 0;
    enum kafka_sight sight = KAFKA_SIGHT_DARK;
    uint64_t until_us = herald_monotonic_us() + ASK_MS * UINT64_C(1000);
    rd_kafka_topic_partition_list_t *committed = list_places(topic, places, count);
    rd_kafka_topic_partition_list_t *lows = list_places(topic, places, count),
                                    *highs = list_places(topic, places, count);
    if (ask_group(kafka, committed, until_us) && ask_partitions(kafka, lows, RD_KAFKA_OFFSET_BEGINNING, until_us) &&
        ask_partitions(kafka, highs, RD_KAFKA_OFFSET_END, until_us)) {
        sight = KAFKA_SIGHT_FINE;
        for (size_t i = 0; i < count && sight <= KAFKA_SIGHT_BEHIND; i++) {
            sight = look_at_lag(&places[i], committed->elems[i].offset, lows->elems[i].offset, highs->elems[i].offset,
                                &lag);
        }
        *ret_lag = lag;
    }
    rd_kafka_topic_partition_list_destroy(committed);
    rd_kafka_topic_partition_list_destroy(lows);
    rd_kafka_topic_partition_list_destroy(highs);
    return sight;
}
