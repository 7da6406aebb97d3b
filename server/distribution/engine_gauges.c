#include "server/distribution/engine_gauges.h"

#include "herald/distribution/v1/distribution.schema.h"
#include "server/runtime/call.h"

#define FRESH_US 30000000ull

static bool happened_lately(atomic_ullong *at_us) {
    uint64_t then_us = atomic_load(at_us);
    return then_us != 0 && clock_now_us() - then_us < FRESH_US;
}

bool engine_backlog_is_wanted(struct engine_process *process) {
    return happened_lately(&process->backlog.asked_us);
}

void engine_backlog_keep(struct engine_process *process, const struct channel_backlog *backlogs) {
    struct engine_backlog *kept = &process->backlog;
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        atomic_store(&kept->waiting[i], backlogs[i].waiting);
        atomic_store(&kept->unknown[i], backlogs[i].unknown);
    }
    atomic_store(&kept->counted_us, clock_now_us());
}

/* A pause with its note: "PAUSED_BY_OPERATOR: new prices". */
/* Anybody may read gauges, so the note of a pause is not among them: ListChannels has it. */
static void put_pause(struct gauge_sheet *sheet, const char *channel, const struct channel_view *view) {
    const char *name = herald_distribution_v1_channel_pause_name((Herald__Distribution__V1__ChannelPause)view->pause);
    gauge_put(sheet, "paused", channel, view->pause, view->pause != 0 ? name : "");
}

static void put_channel(struct engine_process *process, size_t index, bool is_counted, struct gauge_sheet *sheet) {
    const char *channel = channel_rows[index].name;
    struct channel_view view;
    channel_view(process->channels[index], &view);
    gauge_put_breaker(sheet, channel, (int)view.breaker.state, breaker_state_name(view.breaker.state),
                      view.breaker.failure_rate, view.breaker.slow_rate);
    gauge_put(sheet, "in_flight", channel, view.in_flight, "");
    gauge_put(sheet, "max_in_flight", channel, view.max_in_flight, "");
    put_pause(sheet, channel, &view);
    if (is_counted) {
        gauge_put(sheet, "waiting", channel, (double)atomic_load(&process->backlog.waiting[index]), "");
        gauge_put(sheet, "unknown", channel, (double)atomic_load(&process->backlog.unknown[index]), "");
    }
    if (view.quota_total > 0) {
        gauge_put(sheet, "quota_used", channel, view.quota_used, "");
        gauge_put(sheet, "quota_total", channel, view.quota_total, "");
    }
}

void engine_gauges_read(void *process, struct gauge_sheet *sheet) {
    struct engine_process *engine = process;
    bool is_counted = happened_lately(&engine->backlog.counted_us);
    atomic_store(&engine->backlog.asked_us, clock_now_us());
    gauge_put(sheet, "driven", "", atomic_load(&engine->driving), "");
    gauge_put(sheet, "unstored", "", atomic_load(&engine->unstored), "");
    gauge_put(sheet, "watchers", "", atomic_load(&engine->watching), "");
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        put_channel(engine, i, is_counted, sheet);
    }
}
