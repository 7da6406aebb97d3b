#include "server/distribution/look.h"

#include "client/base/backoff.h"
#include "client/base/minimum.h"
#include "server/distribution/adapter.h"
#include "server/distribution/channel_store.h"
#include "server/distribution/delivery_store.h"
#include "server/distribution/distribution_failpoints.h"
#include "server/distribution/distribution_log.h"
#include "server/distribution/distribution_settings.h"
#include "server/distribution/drive.h"
#include "server/distribution/engine_gauges.h"
#include "server/distribution/report.h"
#include "server/distribution/round.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FEWEST_AT_ONCE  4u /* of one channel; doubled while as many are due */
#define MOST_AT_ONCE    128u
#define SOONEST_MS      5u /* between two looks */
#define CONTROL_MS      1000u
#define CHORES_MS       5000u
#define ADOPT_MS        30000u
#define BACKLOG_MS      3000u
#define AUDIT_MS        60000u
#define STRAYS_MS       2000u /* after a burial: until no statement of the dead process can be on its way */
#define EXPIRE_AT_ONCE  500u
#define WATCHED_AT_ONCE 500u
#define WATCH_MS        500u
#define WATCH_MANY_MS   125u /* while more are waited for than are read at once */
#define FAILED_MIN_MS   200u
#define FAILED_MAX_MS   5000u
#define LOOK_ARENA_CAP  (32 << 20)

struct look {
    struct loop_work end; /* frees it after its task has ended */
    struct call call;
    struct engine *engine;
    struct completion wake;
    uint64_t due_us; /* when something is due that this loop knows of; UINT64_MAX: nothing */
    uint64_t control_us, chores_us, adopt_us, watch_us, audit_us, backlog_us; /* when the next one is due */
    uint64_t strays_us; /* when the claims of the buried are looked for again; UINT64_MAX: not wanted */
    struct herald_backoff backoff;
    bool stopping;
    uint32_t at_once[CHANNEL_COUNT];
    bool was_closed[CHANNEL_COUNT]; /* the breaker, at the last look */
    /* of one look: places that are held for what will be taken */
    struct channel_permit permits[CHANNEL_COUNT][MOST_AT_ONCE];
    uint32_t permit_count[CHANNEL_COUNT];
};

void look_at(struct look *look, uint64_t ms) {
    uint64_t at_us = clock_now_us() + ms * 1000;
    if (look && at_us < look->due_us) {
        look->due_us = at_us;
        completion_complete(&look->wake);
    }
}

void look_after_burial(struct look *look) {
    look_at(look, 0);
    if (look) {
        look->strays_us = clock_now_us() + STRAYS_MS * UINT64_C(1000);
    }
}

/* ---- places ---- */

static void hold_places(struct look *look, size_t index) {
    struct channel_state *state = look->engine->process->channels[index];
    uint32_t retry_ms = 0;
    while (look->permit_count[index] < look->at_once[index] &&
           channel_admit(state, false, &look->permits[index][look->permit_count[index]], &retry_ms) == ADMITTED) {
        look->permit_count[index]++;
    }
}

/* A paused channel gets one delivery now and then, which tries whether the cause is gone. */
TASK_FN static enum herald_code hold_probe(struct look *look, size_t index, struct herald_error *reterr) {
    struct channel_state *state = look->engine->process->channels[index];
    bool taken = false;
    uint32_t retry_ms = 0;
    enum herald_code code = channel_store_probe(look->engine->db, &channel_rows[index], &taken, reterr);
    if (code == HERALD_OK && taken && channel_admit(state, true, &look->permits[index][0], &retry_ms) == ADMITTED) {
        look->permit_count[index] = 1;
    }
    return code;
}

static void leave_places(struct look *look) {
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        while (look->permit_count[i] > 0) {
            look->permit_count[i]--;
            (void)channel_leave_unused(look->engine->process->channels[i], &look->permits[i][look->permit_count[i]]);
        }
    }
}

/* One of the places that are held for a channel. */
static struct channel_permit take_held_permit(struct look *look, size_t index) {
    return look->permits[index][--look->permit_count[index]];
}

/* ---- taking ---- */

/* Whether an earlier round of this loop still drives that attempt, or has not stored what became of it: it lost its claim, and
 * the loop has now taken the delivery again. What that round stores ends the claim; a look-up would know less. */
static bool attempt_goes_on(const struct engine *engine, const struct taken_delivery *taken) {
    const struct channel_row *channel = channel_find(taken->delivery.channel);
    for (const struct round *round = engine->rounds; round; round = round->next) {
        if (strcasecmp(round->event_id, taken->event_id) != 0) {
            continue;
        }
        for (size_t i = 0; i < round->count; i++) {
            const struct delivery *delivery = &round->deliveries[i];
            if (delivery->channel == channel && delivery->row.attempts == taken->delivery.attempts &&
                (delivery->driven || delivery->pending)) {
                return true;
            }
        }
    }
    return false;
}

/* @era  of the lease, before it was taken */
static void drive_taken(struct look *look, const struct taken_delivery *taken, uint64_t era) {
    struct engine *engine = look->engine;
    const struct channel_row *row = channel_find(taken->delivery.channel);
    if (attempt_goes_on(engine, taken)) {
        return;
    }
    struct round *round = NULL;
    struct herald_error error = {0};
    enum herald_code code = round_new(engine, taken->event_id, taken->distribution_id, taken->owner, taken->content,
                                      taken->content_bytes, 1, &round, &error);
    if (code != HERALD_OK) { /* nothing is sent: the audit releases it */
        engine->must_audit = true;
        log_emit(&LOG_DELIVERY_LEFT, log_str("event_id", taken->event_id), log_str("channel", row->name),
                 log_error(&error), LOG_END);
        return;
    }
    struct delivery *delivery = &round->deliveries[0];
    delivery->channel = row;
    delivery->row = taken->delivery;
    delivery->era = era;
    delivery->expired = taken->expired;
    delivery->permit = take_held_permit(look, channel_index(row));
    if (round_keep_row(round, &delivery->row)) {
        round_drive(round, delivery);
    } else {
        (void)channel_leave_unused(engine_channel(engine, row), &delivery->permit);
        engine->must_audit = true;
    }
    round_unref(round);
}

static size_t list_wants(const struct look *look, struct delivery_want *ret_wants) {
    size_t count = 0;
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        if (look->permit_count[i] > 0) {
            ret_wants[count++] = (struct delivery_want){
                .channel = channel_rows[i].number,
                .most = look->permit_count[i],
                .has_steps = channel_rows[i].adapter->prepare != NULL,
                .is_probe = look->permits[i][0].is_probe,
            };
        }
    }
    return count;
}

/* Asks for twice as many of a channel of which as many were due as could be taken. Returns whether there is one. */
static bool adapt(struct look *look, const struct delivery_want *wants, size_t want_count,
                  const struct taken_delivery *taken, size_t count) {
    bool more = false;
    for (size_t i = 0; i < want_count; i++) {
        uint32_t got = 0;
        for (size_t j = 0; j < count; j++) {
            got += taken[j].delivery.channel == wants[i].channel ? 1 : 0;
        }
        uint32_t *at_once = &look->at_once[channel_index(channel_find(wants[i].channel))];
        bool full = got == wants[i].most;
        *at_once = full ? herald_min_u32(*at_once * 2, MOST_AT_ONCE) : FEWEST_AT_ONCE;
        more = more || full;
    }
    return more;
}

/* Takes what is due. @ret_more  more may be due now */
TASK_FN static enum herald_code take_due(struct look *look, bool *ret_more, struct herald_error *reterr) {
    struct engine *engine = look->engine;
    struct delivery_want wants[CHANNEL_COUNT];
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < CHANNEL_COUNT; i++) {
        if (channel_probe_is_due(engine->process->channels[i])) {
            code = hold_probe(look, i, reterr);
        } else {
            hold_places(look, i);
        }
    }
    size_t want_count = list_wants(look, wants), count = 0;
    struct taken_delivery *taken = NULL;
    uint64_t era = instance_era(engine->instance);
    if (code == HERALD_OK && want_count > 0 && instance_holds(engine->instance, DRIVE_LEASE_MS)) {
        code =
            delivery_store_take(engine->db, instance_id(engine->instance), wants, want_count, &taken, &count, reterr);
        if (code == HERALD_OK && count > 0) {
            code = failpoint_hit(FAILPOINT_DISTRIBUTION_CLAIMED, reterr);
        }
        engine->must_audit = engine->must_audit || code != HERALD_OK;
    }
    if (code == HERALD_OK && count > 0) {
        for (size_t i = 0; i < count; i++) {
            drive_taken(look, &taken[i], era);
        }
        *ret_more = adapt(look, wants, want_count, taken, count);
    }
    leave_places(look);
    return code;
}

/* ---- chores ---- */

TASK_FN static enum herald_code read_controls(struct look *look, struct herald_error *reterr) {
    struct channel_control controls[CHANNEL_COUNT];
    enum herald_code code = channel_store_load(look->engine->db, controls, reterr);
    for (size_t i = 0; code == HERALD_OK && i < CHANNEL_COUNT; i++) {
        channel_control_apply(look->engine->process->channels[i], &controls[i]);
    }
    return code;
}

/* What waited for a breaker goes on once it has closed. */
TASK_FN static enum herald_code wake_after_breakers(struct look *look, struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < CHANNEL_COUNT; i++) {
        bool closed = channel_breaker_is_closed(look->engine->process->channels[i]);
        if (closed && !look->was_closed[i]) {
            code = channel_store_wake(look->engine->db, &channel_rows[i], reterr);
        }
        look->was_closed[i] = closed;
    }
    return code;
}

/* Reads how far the distributions are that are waited for. */
TASK_FN static enum herald_code tell_watchers(struct look *look, struct herald_error *reterr) {
    struct watch *watch = &look->engine->watch;
    size_t most = watch->count < WATCHED_AT_ONCE ? watch->count : WATCHED_AT_ONCE;
    if (most == 0) {
        return HERALD_OK;
    }
    const char **event_ids = arena_calloc(call_arena(), most, sizeof(const char *));
    if (!event_ids) {
        return arena_full(reterr, "the events that are waited for");
    }
    size_t count = watch_list(watch, event_ids, most), found = 0;
    for (size_t i = 0; i < count; i++) { /* a watcher may leave during the statement */
        event_ids[i] = arena_strdup(call_arena(), event_ids[i]);
        if (!event_ids[i]) {
            return arena_full(reterr, "the events that are waited for");
        }
    }
    struct distribution_version *versions = NULL;
    enum herald_code code = delivery_store_versions(look->engine->db, event_ids, count, &versions, &found, reterr);
    for (size_t i = 0; code == HERALD_OK && i < found; i++) {
        watch_tell(watch, versions[i].event_id, versions[i].version);
    }
    return code;
}

/* Counts for those who look at the gauges. */
TASK_FN static enum herald_code count_backlog(struct look *look, struct herald_error *reterr) {
    struct channel_backlog backlogs[CHANNEL_COUNT];
    enum herald_code code = channel_store_backlog(look->engine->db, backlogs, reterr);
    if (code == HERALD_OK) {
        engine_backlog_keep(look->engine->process, backlogs);
    }
    return code;
}

/* A round whose distribution was not made, as far as its loop knows, waits for an early drive only, and posts nothing. */
static bool is_known(const struct engine *engine, const struct held_delivery *held) {
    for (const struct round *round = engine->rounds; round; round = round->next) {
        if (round->opened.done && !round->made) {
            continue;
        }
        if (strcasecmp(round->event_id, held->event_id) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Releases claims of which this loop knows nothing: the answer of the statement that made them was lost. No such
 * statement is on its way during the audit but those of rounds that are known already.
 */
TASK_FN static enum herald_code audit_claims(struct look *look, struct herald_error *reterr) {
    struct engine *engine = look->engine;
    struct held_delivery *held = NULL;
    size_t count = 0, lost = 0;
    engine->must_audit = false;
    enum herald_code code = delivery_store_held(engine->db, instance_id(engine->instance), &held, &count, reterr);
    for (size_t i = 0; code == HERALD_OK && i < count; i++) {
        if (!is_known(engine, &held[i])) {
            held[lost++] = held[i];
        }
    }
    if (code == HERALD_OK && lost > 0) {
        log_emit(&LOG_CLAIMS_LOST, log_u64("claims", lost), LOG_END);
        code = delivery_store_unclaim(engine->db, instance_id(engine->instance), held, lost, reterr);
    }
    engine->must_audit = engine->must_audit || code != HERALD_OK;
    return code;
}

static uint32_t watch_every_ms(const struct look *look) {
    return look->engine->watch.count > WATCHED_AT_ONCE ? WATCH_MANY_MS : WATCH_MS;
}

/* Whether a chore is due; the next one is due @every_ms later. */
static bool is_due(uint64_t *at_us, uint32_t every_ms) {
    uint64_t now_us = clock_now_us();
    if (now_us < *at_us) {
        return false;
    }
    *at_us = now_us + (uint64_t)every_ms * 1000;
    return true;
}

TASK_FN static enum herald_code do_first_loops_chores(struct look *look, struct herald_error *reterr) {
    struct engine *engine = look->engine;
    enum herald_code code = HERALD_OK;
    if (is_due(&look->control_us, CONTROL_MS)) {
        code = read_controls(look, reterr);
        code = code == HERALD_OK ? wake_after_breakers(look, reterr) : code;
        code = code == HERALD_OK ? report_due(engine, reterr) : code;
    }
    if (code == HERALD_OK && is_due(&look->chores_us, CHORES_MS)) {
        code = delivery_store_expire(engine->db, EXPIRE_AT_ONCE,
                                     channels_settings(engine->settings)->channels_report_ms, reterr);
    }
    if (code == HERALD_OK && is_due(&look->adopt_us, ADOPT_MS)) {
        code = delivery_store_adopt(engine->db, reterr);
    }
    if (code == HERALD_OK && engine_backlog_is_wanted(engine->process) && is_due(&look->backlog_us, BACKLOG_MS)) {
        code = count_backlog(look, reterr);
    }
    return code;
}

/* One look. @ret_more  more may be due now */
TASK_FN static enum herald_code look_for_due(struct look *look, bool *ret_more, struct herald_error *reterr) {
    look->due_us = UINT64_MAX;
    enum herald_code code = HERALD_OK;
    if (loop_index(look->engine->loop) == 0) {
        code = do_first_loops_chores(look, reterr);
    }
    if (code == HERALD_OK && (look->engine->must_audit || is_due(&look->audit_us, AUDIT_MS))) {
        code = audit_claims(look, reterr);
    }
    if (code == HERALD_OK && clock_now_us() >= look->strays_us) {
        look->strays_us = UINT64_MAX;
        code = delivery_store_adopt(look->engine->db, reterr);
    }
    if (code == HERALD_OK && is_due(&look->watch_us, watch_every_ms(look))) {
        code = tell_watchers(look, reterr);
    }
    if (code == HERALD_OK && !atomic_load(&look->engine->process->draining)) {
        code = take_due(look, ret_more, reterr);
    }
    return code;
}

/* ---- the task ---- */

static uint32_t until_next_ms(const struct look *look) {
    uint32_t poll_ms = channels_settings(look->engine->settings)->channels_poll_ms;
    if (look->engine->watch.count > 0) {
        poll_ms = herald_min_u32(poll_ms, watch_every_ms(look));
    }
    uint64_t now_us = clock_now_us();
    uint64_t due_ms = look->due_us > now_us ? (look->due_us - now_us) / 1000 + 1 : SOONEST_MS;
    due_ms = due_ms < SOONEST_MS ? SOONEST_MS : due_ms;
    return (uint32_t)herald_min_u64(due_ms, poll_ms);
}

TASK_FN static void look_task(void *arg) {
    struct look *look = arg;
    while (!look->stopping) {
        struct herald_error error = {0};
        bool more = false;
        enum herald_code code = look_for_due(look, &more, &error);
        arena_fini(&look->call.arena);
        arena_init(&look->call.arena, LOOK_ARENA_CAP);
        uint32_t pause_ms = more ? SOONEST_MS : until_next_ms(look);
        if (code != HERALD_OK) {
            pause_ms = herald_backoff_failed(&look->backoff) + SOONEST_MS;
            log_emit(&LOG_LOOK_FAILED, log_error(&error), LOG_END);
        } else {
            herald_backoff_succeeded(&look->backoff);
        }
        do { /* what becomes due earlier shortens the wait, but for failures */
            completion_init(&look->wake);
            look->wake.what = "due deliveries";
            if (completion_wait_for(&look->wake, pause_ms, NULL) != HERALD_OK) {
                break;
            }
            pause_ms = herald_min_u32(pause_ms, until_next_ms(look));
        } while (!look->stopping);
    }
    loop_post(look->engine->loop, &look->end);
}

static void on_look_end(struct loop_work *work) {
    struct look *look = (struct look *)work;
    call_fini(&look->call);
    free(look);
}

enum herald_code look_start(struct engine *engine, struct look **ret_look, struct herald_error *reterr) {
    struct look *look = calloc(1, sizeof(*look));
    if (!look) {
        return herald_error_no_memory(reterr, "the task that looks for due deliveries");
    }
    look->end.run = on_look_end;
    look->engine = engine;
    look->strays_us = UINT64_MAX;
    look->backoff = (struct herald_backoff){.min_ms = FAILED_MIN_MS, .max_ms = FAILED_MAX_MS};
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        look->at_once[i] = FEWEST_AT_ONCE;
        look->was_closed[i] = true;
    }
    completion_init(&look->wake);
    call_init(&look->call, "look for deliveries", NULL, 0, LOOK_ARENA_CAP);
    enum herald_code code = task_spawn(engine->loop, &look->call, "look", look_task, look, reterr);
    if (code != HERALD_OK) {
        call_fini(&look->call);
        free(look);
        return code;
    }
    *ret_look = look;
    return HERALD_OK;
}

void look_stop(struct look *look) {
    if (look) {
        look->stopping = true;
        task_cancel_call(look->engine->loop, &look->call, HERALD_CANCELLED);
    }
}
