#include "server/distribution/report.h"

#include "herald/distribution/v1/distribution_completed.pb-c.h"
#include "herald/distribution/v1/distribution_completed.schema.h"
#include "herald/uuid.h"
#include "server/distribution/distribution_log.h"
#include "server/distribution/distribution_settings.h"
#include "server/distribution/results.h"
#include "server/durable/outbox_record.h"
#include "server/runtime/proto_arena.h"
#include "server/store/kafka/kafka_settings.h"

#include <stdlib.h>
#include <string.h>

#define REPORTS_AT_ONCE 16
#define REPORT_LEASE_MS 30000

typedef Herald__Distribution__V1__DistributionCompleted DistributionCompleted;
typedef Herald__Distribution__V1__DistributionProgressed DistributionProgressed;
typedef Herald__Distribution__V1__ChannelResult ChannelResult;

static struct outbox_record record_of(const struct settings *settings, const char *id, const char *event_id,
                                      int64_t now_us) {
    return (struct outbox_record){
        .id = id,
        .owner = "distribution",
        .topic = kafka_settings(settings)->kafka_distribution_topic,
        .key = event_id,
        .source = "/herald/distribution",
        .encoding = kafka_settings(settings)->kafka_encoding,
        .time_us = now_us,
        .delay_ms = kafka_settings(settings)->kafka_delivery_timeout_ms + 1000,
    };
}

static uint32_t count_accepted(ChannelResult *const *results, size_t count) {
    uint32_t accepted = 0;
    for (size_t i = 0; i < count; i++) {
        accepted += results[i]->accepted ? 1 : 0;
    }
    return accepted;
}

static enum herald_code build_completed(const struct engine *engine, const char *distribution_id, const char *event_id,
                                        const struct delivery_row *rows, size_t count, struct outbox_row *ret_row,
                                        struct herald_error *reterr) {
    DistributionCompleted completed = HERALD__DISTRIBUTION__V1__DISTRIBUTION_COMPLETED__INIT;
    int64_t now_us = instance_now_us(engine->instance);
    if (!delivery_results(engine->process, rows, count, &completed.results) ||
        !arena_timestamp(now_us, &completed.completed_at)) {
        return arena_full(reterr, "DistributionCompleted");
    }
    completed.distribution_id = borrow_str(distribution_id);
    completed.event_id = borrow_str(event_id);
    completed.n_results = count;
    completed.accepted_count = count_accepted(completed.results, count);
    struct outbox_record record = record_of(engine->settings, distribution_id, event_id, now_us);
    return outbox_record_build(&record, &herald_distribution_v1_distribution_completed_schema, &completed.base, ret_row,
                               reterr);
}

enum herald_code report_build_completed_of_round(const struct round *round, struct outbox_row *ret_row,
                                                 struct herald_error *reterr) {
    struct delivery_row *rows = arena_calloc(call_arena(), round->count, sizeof(*rows));
    if (!rows) {
        return arena_full(reterr, "DistributionCompleted");
    }
    for (size_t i = 0; i < round->count; i++) {
        rows[i] = round->deliveries[i].row;
    }
    return build_completed(round->engine, round->distribution_id, round->event_id, rows, round->count, ret_row, reterr);
}

static enum herald_code build_progressed(const struct engine *engine, const struct distribution_row *distribution,
                                         const struct delivery_row *rows, size_t count, struct outbox_row *ret_row,
                                         struct herald_error *reterr) {
    char id[37];
    herald_uuid7(id);
    DistributionProgressed progressed = HERALD__DISTRIBUTION__V1__DISTRIBUTION_PROGRESSED__INIT;
    int64_t now_us = instance_now_us(engine->instance);
    const char *kept_id = arena_strdup(call_arena(), id);
    if (!kept_id || !delivery_results(engine->process, rows, count, &progressed.results) ||
        !arena_timestamp(now_us, &progressed.at)) {
        return arena_full(reterr, "DistributionProgressed");
    }
    progressed.distribution_id = borrow_str(distribution->id);
    progressed.event_id = borrow_str(distribution->event_id);
    progressed.version = distribution->version;
    progressed.n_results = count;
    progressed.accepted_count = count_accepted(progressed.results, count);
    struct outbox_record record = record_of(engine->settings, kept_id, distribution->event_id, now_us);
    return outbox_record_build(&record, &herald_distribution_v1_distribution_progressed_schema, &progressed.base,
                               ret_row, reterr);
}

/* ---- sending ---- */

/* A record on its way: a copy of what is sent. */
struct sending {
    struct loop_work end;
    struct call call;
    struct engine *engine;
    struct outbox_row row;
};

static bool copy_row(struct sending *sending, const struct outbox_row *row) {
    struct arena *arena = &sending->call.arena;
    sending->row = *row;
    sending->row.id = arena_strdup(arena, row->id);
    sending->row.key = arena_strdup(arena, row->key);
    sending->row.ce_type = arena_strdup(arena, row->ce_type);
    sending->row.value = arena_memdup(arena, row->value, row->value_bytes);
    return sending->row.id && sending->row.key && sending->row.ce_type && sending->row.value;
}

static void free_sending(struct sending *sending) {
    outbox_relay_unref(sending->engine->outbox);
    call_fini(&sending->call);
    free(sending);
}

static void on_sending_end(struct loop_work *work) {
    free_sending((struct sending *)work);
}

TASK_FN static void send_task(void *arg) {
    struct sending *sending = arg;
    const struct engine *engine = sending->engine;
    struct herald_error error = {0};
    if (outbox_send_now(engine->outbox, &sending->row, kafka_settings(engine->settings)->kafka_delivery_timeout_ms,
                        &error) != HERALD_OK) {
        log_emit(&LOG_COMPLETED_LATE, log_str("event_id", sending->row.key), log_error(&error), LOG_END);
    }
    loop_post(engine->loop, &sending->end);
}

void report_send(struct engine *engine, const struct outbox_row *row) {
    struct sending *sending = calloc(1, sizeof(*sending));
    if (!sending) {
        return;
    }
    call_init(&sending->call, "send a report", NULL, 0, 0);
    sending->end.run = on_sending_end;
    sending->engine = engine;
    outbox_relay_ref(engine->outbox); /* which may be stopped before the task has begun */
    if (!copy_row(sending, row) ||
        task_spawn(engine->loop, &sending->call, "report", send_task, sending, NULL) != HERALD_OK) {
        free_sending(sending);
    }
}

/* ---- what is due ---- */

TASK_FN static enum herald_code report_one(struct engine *engine, const char *event_id, struct herald_error *reterr) {
    struct distribution_row distribution;
    struct delivery_row *rows = NULL;
    size_t count = 0;
    enum herald_code code = delivery_store_load(engine->db, event_id, &distribution, &rows, &count, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    bool completes = distribution.unsettled == 0 && distribution.completed_at_us == 0;
    struct outbox_row row;
    code = completes ? build_completed(engine, distribution.id, event_id, rows, count, &row, reterr)
                     : build_progressed(engine, &distribution, rows, count, &row, reterr);
    bool stored = false;
    if (code == HERALD_OK) {
        code = delivery_store_end_report(engine->db, event_id, distribution.version, completes, &row, &stored, reterr);
    }
    if (code == HERALD_OK && stored) {
        if (completes) {
            log_emit(&LOG_DISTRIBUTION_COMPLETED, log_str("event_id", event_id), LOG_END);
        }
        report_send(engine, &row);
    }
    return code;
}

TASK_FN enum herald_code report_due(struct engine *engine, struct herald_error *reterr) {
    const char **event_ids = NULL;
    size_t count = 0;
    enum herald_code code =
        delivery_store_take_reports(engine->db, REPORTS_AT_ONCE, REPORT_LEASE_MS, &event_ids, &count, reterr);
    for (size_t i = 0; code == HERALD_OK && i < count; i++) {
        code = report_one(engine, event_ids[i], reterr);
    }
    return code;
}
