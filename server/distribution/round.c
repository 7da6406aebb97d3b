/*
 * A round of delivery: one task that opens the round, delivers to all channels concurrently, and completes it.
 *
 * Ownership: a struct round is counted by its task and each waiter. Its context must outlive its task, so the last
 * reference posts the work that frees both to the loop; that work runs after the task has ended.
 */
#include "server/distribution/round.h"

#include "herald/distribution/v1/distribution_completed.pb-c.h"
#include "herald/distribution/v1/distribution_completed.schema.h"
#include "herald/uuid.h"
#include "server/distribution/deliver.h"
#include "server/durable/outbox_record.h"
#include "server/runtime/proto_arena.h"
#include "server/store/kafka/kafka_settings.h"

#include <stdlib.h>
#include <string.h>

#define STORE_MARGIN_MS 15000 /* time of the round's own context beyond its budget, to store the results */
#define BEGIN_MARGIN_MS 50    /* time for the deliveries to begin */

struct round {
    struct loop_work end; /* frees the round after its task has ended: the task uses the call until its last step */
    struct call call;
    struct distribution_service *service;
    struct round *next, **link; /* of service->rounds */
    unsigned refs;              /* the task and each waiter */
    struct completion done;
    uint64_t give_up_us;
    const char *event_id;
    const int *channels;
    size_t channel_count;
    const uint8_t *content;
    size_t content_bytes;
    enum herald_code code;
    struct herald_error error;
};

static void on_round_end(struct loop_work *work) {
    struct round *round = (struct round *)work;
    call_fini(&round->call);
    free(round);
}

void round_unref(struct round *round) {
    if (round && --round->refs == 0) {
        loop_post(round->service->loop, &round->end);
    }
}

static void round_link(struct round *round) {
    round->next = round->service->rounds;
    round->link = &round->service->rounds;
    if (round->next) {
        round->next->link = &round->next;
    }
    round->service->rounds = round;
}

static void round_unlink(struct round *round) {
    *round->link = round->next;
    if (round->next) {
        round->next->link = round->link;
    }
}

/* Delivers to all channels concurrently. */
TASK_FN static enum herald_code deliver_all(struct round *round, const struct delivery_row *rows, size_t count,
                                            const Herald__Distribution__V1__Content *content,
                                            struct herald_error *reterr) {
    struct delivery *deliveries = arena_calloc(call_arena(), count, sizeof(*deliveries));
    if (!deliveries) {
        return arena_full(reterr, "the deliveries");
    }
    enum herald_code code = HERALD_OK;
    struct task_group group;
    task_group_init(&group);
    for (size_t i = 0; i < count && code == HERALD_OK; i++) {
        deliveries[i] = (struct delivery){
            .service = round->service,
            .event_id = round->event_id,
            .channel = rows[i].channel,
            .content = content,
            .give_up_us = round->give_up_us,
        };
        if (!delivery_settled(rows[i].state)) {
            code = task_group_spawn(&group, "deliver", deliver, &deliveries[i], reterr);
        }
    }
    task_group_join(&group);
    for (size_t i = 0; i < count && code == HERALD_OK; i++) {
        code = deliveries[i].code;
        herald_error_copy(reterr, code == HERALD_OK ? NULL : &deliveries[i].error);
    }
    return code;
}

static enum herald_code build_completed(const struct round *round, const struct distribution_row *row,
                                        const struct delivery_row *deliveries, size_t count,
                                        struct outbox_row *ret_record, struct herald_error *reterr) {
    Herald__Distribution__V1__DistributionCompleted completed = HERALD__DISTRIBUTION__V1__DISTRIBUTION_COMPLETED__INIT;
    int64_t now_us = clock_wall_us();
    completed.distribution_id = borrow_str(row->id);
    completed.event_id = borrow_str(round->event_id);
    completed.n_results = count;
    if (!delivery_results(deliveries, count, &completed.results) || !arena_timestamp(now_us, &completed.completed_at)) {
        return arena_full(reterr, "DistributionCompleted");
    }
    for (size_t i = 0; i < count; i++) {
        completed.accepted_count += completed.results[i]->accepted ? 1 : 0;
    }
    const struct settings *settings = round->service->settings;
    struct outbox_record record = {
        .id = row->id, /* the same when the round is resumed */
        .owner = "distribution",
        .topic = kafka_settings(settings)->kafka_distribution_topic,
        .key = round->event_id,
        .source = "/herald/distribution",
        .encoding = kafka_settings(settings)->kafka_encoding,
        .time_us = now_us,
        .delay_ms = kafka_settings(settings)->kafka_delivery_timeout_ms + 1000,
    };
    return outbox_record_build(&record, &herald_distribution_v1_distribution_completed_schema, &completed.base,
                               ret_record, reterr);
}

/* Completes the round with the results as stored, and publishes DistributionCompleted. */
TASK_FN static enum herald_code complete(struct round *round, struct herald_error *reterr) {
    struct distribution_service *service = round->service;
    struct distribution_row row;
    struct delivery_row *deliveries = NULL;
    size_t count = 0;
    enum herald_code code = delivery_store_load(service->db, round->event_id, &row, &deliveries, &count, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct outbox_row record;
    code = build_completed(round, &row, deliveries, count, &record, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = delivery_store_complete_round(service->db, row.id, &record, reterr);
    if (code != HERALD_OK) {
        return code == HERALD_ABORTED ? HERALD_OK : code; /* ABORTED: another process has completed it */
    }
    log_emit(&LOG_ROUND_COMPLETED, log_str("event_id", round->event_id), log_str("distribution_id", row.id), LOG_END);
    struct herald_error late = {0};
    if (outbox_send_now(service->outbox, &record, kafka_settings(service->settings)->kafka_delivery_timeout_ms,
                        &late) != HERALD_OK) {
        log_emit(&LOG_COMPLETED_LATE, log_str("event_id", round->event_id), log_error(&late), LOG_END);
    }
    return HERALD_OK;
}

/* Leaves a round open whose time is too short for any attempt: completed, it would end without a try. */
static enum herald_code check_time(const struct round *round, const struct delivery_row *rows, size_t count,
                                   struct herald_error *reterr) {
    uint64_t now_us = clock_now_us();
    uint64_t left_ms = round->give_up_us > now_us ? (round->give_up_us - now_us) / 1000 : 0;
    bool settled = true;
    for (size_t i = 0; i < count; i++) {
        settled = settled && delivery_settled(rows[i].state);
    }
    if (settled || left_ms >= DELIVERY_LEAST_ATTEMPT_MS + BEGIN_MARGIN_MS) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_TOO_LITTLE_TIME,
                            "of the call's time %llu ms are left for the channels, too few to begin with: it takes at "
                            "least %u; none was asked",
                            (unsigned long long)left_ms, DELIVERY_LEAST_ATTEMPT_MS + BEGIN_MARGIN_MS);
}

TASK_FN static enum herald_code drive(struct round *round, struct herald_error *reterr) {
    char new_id[37];
    herald_uuid7(new_id);
    struct distribution_row row;
    struct delivery_row *deliveries = NULL;
    size_t count = 0;
    enum herald_code code =
        delivery_store_open_round(round->service->db, round->event_id, new_id, round->channels, round->channel_count,
                                  round->content, round->content_bytes, &row, &deliveries, &count, reterr);
    if (code != HERALD_OK || row.completed) {
        return code;
    }
    code = check_time(round, deliveries, count, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const Herald__Distribution__V1__Content *content =
        herald__distribution__v1__content__unpack(&call_arena()->protobuf, row.content_bytes, row.content);
    if (!content) {
        return herald_error_set(reterr, HERALD_REASON_STORED_CONTENT_UNREADABLE,
                                "the stored content of distribution %s cannot be read", row.id);
    }
    code = deliver_all(round, deliveries, count, content, reterr);
    return code == HERALD_OK ? complete(round, reterr) : code;
}

TASK_FN static void drive_task(void *arg) {
    struct round *round = arg;
    round->code = drive(round, &round->error);
    if (round->code != HERALD_OK) {
        log_emit(&LOG_ROUND_LEFT, log_str("event_id", round->event_id), log_error(&round->error), LOG_END);
    }
    round_unlink(round);
    completion_complete(&round->done);
    round_unref(round);
}

enum herald_code round_start(struct distribution_service *service, const char *event_id, const int *channels,
                             size_t channel_count, const uint8_t *content, size_t content_bytes, uint32_t budget_ms,
                             struct round **ret_round, struct herald_error *reterr) {
    struct round *round = calloc(1, sizeof(*round));
    if (!round) {
        return herald_error_no_memory(reterr, "a round");
    }
    const struct call *parent = call_current();
    call_init(&round->call, "Distribute", parent ? parent->id : NULL, budget_ms + STORE_MARGIN_MS, 0);
    round->end.run = on_round_end;
    round->service = service;
    round->refs = 1;
    round->give_up_us = clock_now_us() + (uint64_t)budget_ms * 1000;
    completion_init(&round->done);
    round->done.what = "its channels";
    round->event_id = arena_strdup(&round->call.arena, event_id);
    round->channels = arena_memdup(&round->call.arena, channels, channel_count * sizeof(*channels));
    round->channel_count = channel_count;
    round->content = arena_memdup(&round->call.arena, content, content_bytes);
    round->content_bytes = content_bytes;
    enum herald_code code = round->event_id && round->channels && round->content
                                ? task_spawn(service->loop, &round->call, "round", drive_task, round, reterr)
                                : arena_full(reterr, "a round");
    if (code != HERALD_OK) {
        round_unref(round);
        return code;
    }
    round_link(round);
    round->refs++;
    *ret_round = round;
    return HERALD_OK;
}

TASK_FN enum herald_code round_wait(struct round *round, struct herald_error *reterr) {
    enum herald_code code = completion_wait(&round->done, reterr);
    if (code == HERALD_OK && round->code != HERALD_OK) {
        herald_error_copy(reterr, &round->error);
        return round->code;
    }
    return code;
}

void rounds_cancel(struct distribution_service *service) {
    for (struct round *round = service->rounds; round; round = round->next) {
        task_cancel_call(service->loop, &round->call, HERALD_CANCELLED);
    }
}
