/*
 * One delivery. The row's state decides the next step; each step stores its result before the next one begins:
 *
 *   PENDING, READY --claim--> COMMITTING --post--> PUBLISHED | REJECTED | NEEDS_AUTH        ends
 *                                              \-> READY                                   again, after a backoff
 *                                              \-> OUTCOME_UNKNOWN --reconcile--> RECONCILING --look-up--> PUBLISHED
 *                                                                                 | READY | OUTCOME_UNKNOWN
 *   COMMITTING or RECONCILING of another process: wait for it; once its lease has expired, reconcile.
 */
#include "server/distribution/deliver.h"

#include "client/base/backoff.h"
#include "client/base/minimum.h"
#include "client/base/random.h"
#include "server/distribution/channel.h"
#include "server/distribution/channels.h"
#include "server/distribution/distribution_failpoints.h"
#include "server/distribution/distribution_settings.h"

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

#define LEASE_MARGIN_MS    5000 /* duration of a claim beyond the channel's time-out */
#define LOOK_AGAIN_MS      200
#define LOOK_UP_TIMEOUT_MS 5000
#define FIRST_BACKOFF_MS   500
#define LAST_BACKOFF_MS    10000

static uint32_t left_ms(const struct delivery *delivery) {
    uint64_t now_us = clock_now_us();
    return delivery->give_up_us > now_us ? (uint32_t)((delivery->give_up_us - now_us) / 1000) : 0;
}

/* Full jitter, but at least as long as the channel asks. */
static uint32_t backoff_ms(unsigned failures, uint32_t retry_after_ms) {
    uint32_t wait_ms = herald_backoff_ms(FIRST_BACKOFF_MS, LAST_BACKOFF_MS, failures, herald_random());
    return retry_after_ms > wait_ms ? retry_after_ms : wait_ms;
}

/* Stores the result of an attempt or a look-up. */
TASK_FN static enum herald_code finish_attempt(struct delivery *delivery, uint32_t attempt, int64_t started_at_us,
                                               const struct channel_answer *answer, struct herald_error *reterr) {
    struct delivery_row row = {
        .channel = delivery->channel,
        .state = answer->state,
        .remote_id = answer->remote_id,
        .reason = herald_reason_name(answer->reason),
        .message = answer->message,
        .attempts = attempt,
        .started_at_us = started_at_us,
        .finished_at_us = clock_wall_us(),
    };
    enum herald_code code = delivery_store_finish(delivery->service->db, delivery->event_id, attempt, &row, reterr);
    log_emit(&LOG_DELIVERY_ENDED, log_str("event_id", delivery->event_id),
             log_str("channel", channel_name(delivery->channel)), log_u64("attempt", attempt),
             log_i64("state", answer->state), log_str("reason", herald_reason_name(answer->reason)), LOG_END);
    return code == HERALD_ABORTED ? HERALD_OK : code; /* another process took it: the next step reads the result */
}

TASK_FN static enum herald_code post_attempt(struct delivery *delivery, uint32_t attempt,
                                             struct channel_answer *ret_answer, struct herald_error *reterr) {
    int64_t started_at_us = clock_wall_us();
    uint32_t timeout_ms =
        herald_min_u32(channels_settings(delivery->service->settings)->channels_timeout_ms, left_ms(delivery));
    enum herald_code code = failpoint_hit(FAILPOINT_DISTRIBUTION_BEFORE_POST, reterr);
    if (code == HERALD_OK) {
        code = channel_post(delivery->service, delivery->event_id, delivery->channel, delivery->content, timeout_ms,
                            ret_answer, reterr);
    }
    if (code != HERALD_OK) { /* nothing was sent */
        *ret_answer = (struct channel_answer){.state = STATE(READY),
                                              .remote_id = "",
                                              .reason = HERALD_REASON_NOT_SENT,
                                              .message = "the post could not be made"};
    }
    code = failpoint_hit(FAILPOINT_DISTRIBUTION_AFTER_POST, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    return finish_attempt(delivery, attempt, started_at_us, ret_answer, reterr);
}

/* Looks up an attempt whose lease has expired. The state does not change while another process holds the lease. */
TASK_FN static enum herald_code reconcile(struct delivery *delivery, struct delivery_row *now,
                                          struct channel_answer *ret_answer, struct herald_error *reterr) {
    uint32_t attempt = 0;
    int64_t started_at_us = now->started_at_us;
    enum herald_code code = delivery_store_reconcile(delivery->service->db, delivery->event_id, delivery->channel,
                                                     LOOK_UP_TIMEOUT_MS + LEASE_MARGIN_MS, &attempt, now, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    uint32_t timeout_ms = herald_min_u32(LOOK_UP_TIMEOUT_MS, left_ms(delivery));
    code = channel_look_up(delivery->service, delivery->event_id, delivery->channel, timeout_ms, ret_answer, reterr);
    return code == HERALD_OK ? finish_attempt(delivery, attempt, started_at_us, ret_answer, reterr) : code;
}

/* Waits before the next step. Returns: false: no time is left. */
TASK_FN static bool pause_for(struct delivery *delivery, uint32_t ms) {
    return left_ms(delivery) > ms + DELIVERY_LEAST_ATTEMPT_MS && task_sleep(ms, NULL) == HERALD_OK;
}

struct progress {
    unsigned failures; /* attempts of this round that may be repeated */
    bool ended;
};

/* Decides after an answer: the delivery has ended, or how long to wait. */
TASK_FN static void after_answer(struct delivery *delivery, struct progress *progress,
                                 const struct channel_answer *answer) {
    if (delivery_settled(answer->state)) {
        progress->ended = true;
        return;
    }
    bool refused = answer->state == STATE(READY);
    progress->failures += refused ? 1 : 0;
    progress->ended =
        (refused && progress->failures >= channels_settings(delivery->service->settings)->channels_attempts) ||
        !pause_for(delivery, refused ? backoff_ms(progress->failures, answer->retry_after_ms) : LOOK_AGAIN_MS);
}

/* One step of the delivery. */
TASK_FN static enum herald_code step(struct delivery *delivery, struct progress *progress,
                                     struct herald_error *reterr) {
    struct distribution_service *service = delivery->service;
    uint32_t attempt = 0;
    struct delivery_row now = {0};
    struct channel_answer answer = {0};
    enum herald_code code = delivery_store_claim(
        service->db, delivery->event_id, delivery->channel,
        channels_settings(service->settings)->channels_timeout_ms + LEASE_MARGIN_MS, &attempt, &now, reterr);
    if (code == HERALD_OK) {
        code = post_attempt(delivery, attempt, &answer, reterr);
    } else if (code == HERALD_ABORTED && delivery_settled(now.state)) {
        progress->ended = true;
        return HERALD_OK;
    } else if (code == HERALD_ABORTED) {
        code = reconcile(delivery, &now, &answer, reterr);
    }
    if (code == HERALD_ABORTED) { /* another process holds the lease */
        progress->ended = !pause_for(delivery, LOOK_AGAIN_MS);
        return HERALD_OK;
    }
    if (code == HERALD_OK) {
        after_answer(delivery, progress, &answer);
    }
    return code;
}

TASK_FN void deliver(void *arg) {
    struct delivery *delivery = arg;
    struct progress progress = {0};
    delivery->code = HERALD_OK;
    while (delivery->code == HERALD_OK && !progress.ended) {
        if (left_ms(delivery) < DELIVERY_LEAST_ATTEMPT_MS) {
            break;
        }
        delivery->code = step(delivery, &progress, &delivery->error);
    }
    if (delivery->code != HERALD_OK) {
        log_emit(&LOG_DELIVERY_LEFT, log_str("event_id", delivery->event_id),
                 log_str("channel", channel_name(delivery->channel)), log_error(&delivery->error), LOG_END);
    }
}
