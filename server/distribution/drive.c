/*
 * One claimed delivery. Its row is COMMITTING, PREPARING or RECONCILING, and committed as that, before the first step.
 *
 * No post without a lease: a process that stood still for longer than its lease may have been buried, and another may
 * have looked the post up and sent it. A claim of an earlier era of the lease is lost for the same reason, also when the
 * process has a lease again.
 */
#include "server/distribution/drive.h"

#include "client/base/ascii.h"
#include "client/base/random.h"
#include "server/distribution/adapter.h"
#include "server/distribution/channel_store.h"
#include "server/distribution/decide.h"
#include "server/distribution/distribution_failpoints.h"
#include "server/distribution/distribution_log.h"
#include "server/distribution/distribution_settings.h"
#include "server/distribution/look.h"
#include "server/distribution/writer.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define PAUSE(name) HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name

#define FIRST_LOOK_MS 100 /* at what a channel is preparing; doubled each time */
#define LAST_LOOK_MS  1600

void delivery_key(const char *event_id, const struct channel_row *row, char ret_key[37]) {
    char text[128];
    int length = snprintf(text, sizeof(text), "%s/%s", event_id, row->name);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text, (size_t)length, digest);
    memcpy(ret_key, "evt_", 4);
    herald_write_hex(digest, 16, ret_key + 4);
}

static struct adapter_delivery view_of(const struct delivery *delivery, const char *key) {
    const struct round *round = delivery->round;
    struct channel_state *state = engine_channel(round->engine, delivery->channel);
    return (struct adapter_delivery){
        .row = delivery->channel,
        .setup = channel_state_setup(state),
        .state = state,
        .http = round->engine->http,
        .db = round->engine->db,
        .event_id = round->event_id,
        .owner = round->owner,
        .content = round->content,
        .key = key,
        .step_id = delivery->row.step_id,
    };
}

/* ---- what an answer does ---- */

/* The answer's time is of this machine's clock, as its adapter has made it. */
static uint64_t retry_in_ms(const struct channel_answer *answer) {
    int64_t now_us = clock_wall_us();
    return answer->retry_at_us > now_us ? (uint64_t)(answer->retry_at_us - now_us) / 1000 : 0;
}

static struct decision decide_step(const struct delivery *delivery, enum delivery_step step,
                                   const struct channel_answer *answer) {
    const struct channels_settings *settings = channels_settings(delivery->round->engine->settings);
    return decide(&(struct decision_input){
        .step = step,
        .meaning = answer->meaning,
        .failures = delivery->row.failures,
        .can_look_up = delivery->channel->can.look_up,
        .expired = delivery->row.expires_at_us <= instance_now_us(delivery->round->engine->instance),
        .retry_in_ms = retry_in_ms(answer),
        .backoff_min_ms = settings->channels_backoff_min_ms,
        .backoff_max_ms = settings->channels_backoff_max_ms,
        .random = herald_random(),
    });
}

static const char *newer_or(const char *newer, const char *older) {
    return newer && newer[0] != '\0' ? newer : older;
}

/* The row after a step. Without memory for the new strings the old ones stay. */
static void change_row(struct delivery *delivery, const struct decision *decision,
                       const struct channel_answer *answer) {
    struct delivery_row row = delivery->row;
    row.state = decision->state;
    row.settled = decision->settled;
    row.failures = decision->failures;
    row.step_id = decision->drops_step ? "" : newer_or(answer->step_id, row.step_id);
    row.remote_id = newer_or(answer->remote_id, row.remote_id);
    row.post_url = newer_or(answer->post_url, row.post_url);
    row.reason = herald_reason_name(answer->reason);
    row.message = newer_or(answer->message, "");
    row.finished_at_us = decision->goes_on ? 0 : instance_now_us(delivery->round->engine->instance);
    if (!round_keep_row(delivery->round, &row)) {
        row.step_id = delivery->row.step_id;
        row.remote_id = delivery->row.remote_id;
        row.post_url = delivery->row.post_url;
        row.reason = herald_reason_name(answer->reason); /* static */
        row.message = "";
    }
    delivery->row = row;
}

/* What an answer does to the channel: pauses it, heals it, keeps calls from it for a while. */
TASK_FN static void tell_channel(struct delivery *delivery, const struct decision *decision,
                                 const struct channel_answer *answer) {
    struct engine *engine = delivery->round->engine;
    struct channel_state *state = engine_channel(engine, delivery->channel);
    struct herald_error error = {0};
    enum herald_code code = HERALD_OK;
    if (decision->throttle_ms > 0) {
        channel_throttle(state, decision->throttle_ms);
    }
    if (decision->pause != PAUSE(NOT_PAUSED)) {
        code = channel_store_pause(engine->db, delivery->channel, decision->pause, answer->message,
                                   delivery->permit.is_probe, &error);
        channel_pause(state, decision->pause, answer->message);
    } else if (decision->heals && channel_is_paused_for_cause(state)) {
        code = channel_store_heal(engine->db, delivery->channel, &error);
        channel_heal(state);
    }
    if (code != HERALD_OK) { /* the next answer says it again */
        log_emit(&LOG_CHANNEL_NOT_STORED, log_str("channel", delivery->channel->name), log_error(&error), LOG_END);
    }
}

static void log_step(const struct delivery *delivery, const struct channel_answer *answer) {
    log_emit(&LOG_DELIVERY_ENDED, log_str("event_id", delivery->round->event_id),
             log_str("channel", delivery->channel->name), log_u64("attempt", delivery->row.attempts),
             log_str("state", herald_distribution_v1_delivery_state_name(
                                  (Herald__Distribution__V1__DeliveryState)delivery->row.state)),
             log_str("reason", herald_reason_name(answer->reason)), LOG_END);
}

/* Gives the place back; what waits for one is taken up. */
static void leave_place(struct delivery *delivery, enum breaker_outcome outcome) {
    struct engine *engine = delivery->round->engine;
    if (channel_leave(engine_channel(engine, delivery->channel), &delivery->permit, outcome)) {
        look_at(engine->look, 0);
    }
}

/* Ends the drive with an answer: the writer stores it. */
TASK_FN static void finish(struct delivery *delivery, enum delivery_step step, const struct channel_answer *answer) {
    struct decision decision = decide_step(delivery, step, answer);
    change_row(delivery, &decision, answer);
    tell_channel(delivery, &decision, answer);
    leave_place(delivery, decision.outcome);
    log_step(delivery, answer);
    writer_put(delivery->round->engine->writer, delivery, decision.next_in_ms);
}

void drive_give_back(struct delivery *delivery, uint32_t next_in_ms) {
    struct engine *engine = delivery->round->engine;
    leave_place(delivery, BREAKER_IGNORED);
    if (delivery->row.state == STATE(COMMITTING) || delivery->row.state == STATE(PREPARING)) {
        delivery->row.state = STATE(READY);
    }
    delivery->row.reason = herald_reason_name(HERALD_REASON_NOT_SENT);
    delivery->row.message = "the server had no room for the delivery; it goes on";
    writer_put(engine->writer, delivery, next_in_ms);
}

/* ---- the steps ---- */

/* What keeps a post from being sent now, though it is claimed. UNSET: nothing. A renewal that is late is waited for. */
TASK_FN static struct channel_answer check_commit(const struct delivery *delivery) {
    (void)instance_wait(delivery->round->engine->instance, DRIVE_LEASE_MS, DRIVE_LEASE_WAIT_MS);
    int64_t now_us = instance_now_us(delivery->round->engine->instance);
    if (delivery->row.expires_at_us <= now_us) { /* decide() makes it EXPIRED */
        return answer_plain(MEANS_OWN_WANT, HERALD_REASON_NOT_SENT,
                            "the delivery's time ended before the post was sent");
    }
    int64_t until_us = channel_open_at_us(engine_channel(delivery->round->engine, delivery->channel), now_us);
    if (until_us > now_us) {
        struct channel_answer answer =
            answer_plain(MEANS_QUIET, HERALD_REASON_QUIET_HOURS, "the channel takes no advertising at night");
        answer.retry_at_us = clock_wall_us() + (until_us - now_us); /* as a channel tells it */
        return answer;
    }
    if (!instance_keeps(delivery->round->engine->instance, delivery->era, DRIVE_LEASE_MS)) {
        return answer_plain(MEANS_OWN_WANT, HERALD_REASON_NOT_SENT,
                            "the server could not renew its lease in the database, so it sent nothing");
    }
    return answer_plain(MEANS_UNSET, HERALD_REASON_NONE, "");
}

TASK_FN static void commit(struct delivery *delivery, const struct adapter_delivery *view) {
    struct channel_answer answer = check_commit(delivery);
    if (answer.meaning == MEANS_UNSET && failpoint_hit(FAILPOINT_DISTRIBUTION_BEFORE_POST, NULL) != HERALD_OK) {
        answer = answer_plain(MEANS_OWN_WANT, HERALD_REASON_NOT_SENT, "the post could not be made");
    }
    if (answer.meaning == MEANS_UNSET) {
        answer = delivery->channel->adapter->commit(view);
    }
    if (failpoint_hit(FAILPOINT_DISTRIBUTION_AFTER_POST, NULL) != HERALD_OK) {
        answer = answer_plain(MEANS_UNKNOWN, HERALD_REASON_CHANNEL_LOST, "the answer was lost");
    }
    finish(delivery, STEP_COMMIT, &answer);
}

/* Stores the row while the drive goes on. False: not stored, or another process has the delivery; nothing may be sent. */
TASK_FN static bool store_and_go_on(struct delivery *delivery) {
    struct herald_error error = {0};
    if (writer_put_and_wait(delivery->round->engine->writer, delivery, &error) == HERALD_OK) {
        return true;
    }
    delivery->round->engine->must_audit = true;
    leave_place(delivery, BREAKER_IGNORED);
    log_emit(&LOG_DELIVERY_LEFT, log_str("event_id", delivery->round->event_id),
             log_str("channel", delivery->channel->name), log_error(&error), LOG_END);
    return false;
}

/* Stores what the channel is preparing, before it is looked at again. */
TASK_FN static bool store_prepared(struct delivery *delivery, const struct channel_answer *answer) {
    if (answer->step_id[0] == '\0' || strcmp(answer->step_id, delivery->row.step_id) == 0) {
        return true;
    }
    struct delivery_row row = delivery->row;
    row.step_id = answer->step_id;
    if (round_keep_row(delivery->round, &row)) {
        delivery->row = row;
    }
    return store_and_go_on(delivery);
}

/* Prepares, and remembers how long it took. */
TASK_FN static struct channel_answer prepare_first(const struct delivery *delivery,
                                                   const struct adapter_delivery *view) {
    uint64_t began_us = clock_now_us();
    struct channel_answer answer = delivery->channel->adapter->prepare(view);
    bool is_ready = answer.meaning == MEANS_PREPARED;
    channel_prepared_in(engine_channel(delivery->round->engine, delivery->channel),
                        is_ready ? (uint32_t)((clock_now_us() - began_us) / 1000) : CHANNEL_PREPARED_LATE);
    return answer;
}

/*
 * While the channel is not ready, this asks again a few times, so that a post need not wait for its row to be due.
 *
 * Returns: false: the drive has ended
 */
TASK_FN static bool prepare_patiently(struct delivery *delivery, struct adapter_delivery *view,
                                      struct channel_answer *ret_answer) {
    struct channel_answer answer = *ret_answer;
    for (uint32_t wait_ms = FIRST_LOOK_MS; answer.meaning == MEANS_NOT_YET && wait_ms <= LAST_LOOK_MS; wait_ms *= 2) {
        if (!store_prepared(delivery, &answer)) {
            return false;
        }
        view->step_id = delivery->row.step_id;
        if (task_sleep(wait_ms, NULL) != HERALD_OK) {
            break;
        }
        answer = delivery->channel->adapter->prepare(view);
    }
    *ret_answer = answer;
    return true;
}

/* The row of what is prepared: COMMITTING, with the failures of before. */
static void mark_prepared(struct delivery *delivery, const struct decision *decision,
                          const struct channel_answer *answer) {
    uint32_t failures = delivery->row.failures;
    change_row(delivery, decision, answer);
    delivery->row.failures = failures;
}

/* An early drive has prepared in time: the distribution is made with the delivery COMMITTING. */
static void mark_early(struct delivery *delivery, const struct channel_answer *answer) {
    if (delivery->round->is_opening) {
        return;
    }
    struct decision decision = decide_step(delivery, STEP_PREPARE, answer);
    if (decision.goes_on) {
        mark_prepared(delivery, &decision, answer);
    }
}

/*
 * What an early drive has learnt of the channel holds at once, and if the distribution is never made: for all others.
 *
 * Returns: what it says about the channel, for the place
 */
TASK_FN static enum breaker_outcome learn_early(struct delivery *delivery, const struct channel_answer *answer) {
    if (!delivery->early) {
        return BREAKER_IGNORED;
    }
    struct decision decision = decide_step(delivery, STEP_PREPARE, answer);
    mark_early(delivery, answer);
    tell_channel(delivery, &decision, answer);
    return decision.outcome;
}

/*
 * Prepares; then marks the delivery COMMITTING, with what was prepared, and commits. An early drive prepares before its claim is
 * stored: a preparation that comes to nothing harms nobody. It sends no post before.
 */
TASK_FN static void drive_prepare(struct delivery *delivery, struct adapter_delivery *view) {
    struct channel_answer answer = check_commit(delivery); /* a container made now may be too old in the morning */
    enum breaker_outcome outcome = BREAKER_IGNORED;
    bool may_prepare = answer.meaning == MEANS_UNSET;
    if (may_prepare) {
        answer = prepare_first(delivery, view);
        outcome = learn_early(delivery, &answer);
    }
    if (!round_await_opening(delivery)) {
        leave_place(delivery, outcome);
        return;
    }
    if (delivery->row.state == STATE(COMMITTING)) {
        view->step_id = delivery->row.step_id;
        commit(delivery, view);
        return;
    }
    if (may_prepare && !prepare_patiently(delivery, view, &answer)) {
        return;
    }
    struct decision decision = decide_step(delivery, STEP_PREPARE, &answer);
    if (!decision.goes_on) {
        finish(delivery, STEP_PREPARE, &answer);
        return;
    }
    mark_prepared(delivery, &decision, &answer);
    if (store_and_go_on(delivery)) {
        view->step_id = delivery->row.step_id;
        commit(delivery, view);
    }
}

TASK_FN static void look_up(struct delivery *delivery, const struct adapter_delivery *view) {
    struct channel_answer answer;
    if (!delivery->channel->can.look_up || delivery->channel->adapter->look_up == NULL) {
        answer = answer_plain(MEANS_UNKNOWN, HERALD_REASON_CHANNEL_LOST,
                              "the server that sent the post ended before the answer was stored, and the channel "
                              "cannot be asked");
    } else {
        answer = delivery->channel->adapter->look_up(view);
    }
    finish(delivery, STEP_LOOK_UP, &answer);
}

TASK_FN static void expire(struct delivery *delivery) {
    delivery->row.state = STATE(EXPIRED);
    delivery->row.settled = true;
    leave_place(delivery, BREAKER_IGNORED);
    writer_put(delivery->round->engine->writer, delivery, 0);
}

/* Where a person posts, nothing can have been sent: instead of a look-up the delivery is handed over again. */
TASK_FN void drive(struct delivery *delivery) {
    char key[37];
    delivery_key(delivery->round->event_id, delivery->channel, key);
    struct adapter_delivery view = view_of(delivery, key);
    if (delivery->row.state == STATE(RECONCILING) && !delivery->channel->can.assisted) {
        look_up(delivery, &view);
    } else if (delivery->expired) {
        expire(delivery);
    } else if (delivery->row.state == STATE(PREPARING)) {
        drive_prepare(delivery, &view);
    } else {
        commit(delivery, &view);
    }
}
