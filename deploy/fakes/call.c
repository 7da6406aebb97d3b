/* A call to a channel, by the behaviour that it takes. */
#include "deploy/fakes/fakes_private.h"

#include <stdio.h>
#include <string.h>

static struct fake_post post_of(const struct fakes_request *request) {
    return (struct fake_post){.channel = request->channel,
                              .event_id = request->event_id,
                              .idempotency_key = request->key,
                              .received_ms = request->received_ms};
}

static void chat(const struct fakes_request *request, const char *outcome) {
    if (request->fakes->chatty) {
        fprintf(stderr, "herald-fakes: %-14s event %s key %s: %s (%lld ms)\n", fake_channel_name(request->channel),
                request->event_id[0] != '\0' ? request->event_id : "?", request->key[0] != '\0' ? request->key : "?",
                outcome, (long long)(fakes_now_ms() - request->received_ms));
    }
}

static void note_refused(const struct fakes_request *request, unsigned status, const char *why) {
    struct fake_post post = post_of(request);
    fake_ledger_refuse(request->fakes->ledger, &post, status, why);
    chat(request, why);
}

/* --- what an effect calls ---------------------------------------------------------------------------------------- */

void fakes_accept(struct fakes_request *request, unsigned status, const char *remote_id, json_t *more, json_t *answer) {
    struct fake_post post = post_of(request);
    bool duplicate = fake_ledger_accept(request->fakes->ledger, &post, remote_id, more, &request->line);
    request->logged = true;
    json_decref(more);
    chat(request, duplicate ? "accepted before, same answer" : "accepted");
    fakes_reply(request, status, answer);
}

void fakes_refuse(struct fakes_request *request, const struct fake_error *error) {
    note_refused(request, error->status, error->message);
    fakes_reply(request, error->status, request->protocol->error_body(error));
}

void fakes_reply(struct fakes_request *request, unsigned status, json_t *answer) {
    request->status = status;
    request->answer = answer;
}

void fakes_settle(struct fakes_request *request) {
    if (request->undecided) {
        fake_ledger_end(request->fakes->ledger, request->channel, request->key);
        request->undecided = false;
    }
}

enum MHD_Result fakes_turn_away(struct fakes_request *request, enum fake_channel channel,
                                const struct fakes_protocol *protocol, const struct fake_error *error) {
    request->channel = channel;
    note_refused(request, error->status, error->message);
    return fakes_answer(request, error->status, protocol->error_body(error));
}

/* --- the course of a call ---------------------------------------------------------------------------------------- */

static void have_effect(struct fakes_request *request) {
    if (request->status == 0) {
        request->effect(request);
        fakes_settle(request);
    }
}

/* The error that FAKE_FAIL answers with. */
static struct fake_error told_failure_of(const struct fake_behaviour *behaviour) {
    struct fake_error error = behaviour->error;
    if (error.status == 0) {
        error.status = error.code[0] != '\0' ? 400 : 503;
    }
    return error;
}

/* The error that a behaviour refuses with. Returns: false: it accepts */
static bool refusal_of(const struct fakes_request *request, struct fake_error *ret_error) {
    const struct fakes_protocol *protocol = request->protocol;
    const struct fake_behaviour *behaviour = &request->taken.behaviour;
    switch (behaviour->mode) {
    case FAKE_FAIL:
        *ret_error = told_failure_of(behaviour);
        return true;
    case FAKE_REJECT:
        *ret_error = protocol->rejected;
        return true;
    case FAKE_WRONG_CLOCK:
        *ret_error = protocol->wrong_clock;
        return true;
    case FAKE_QUIET_HOURS:
        *ret_error = protocol->quiet_hours;
        return true;
    case FAKE_TOKEN_EXPIRED:
        *ret_error = protocol->token_expired;
        return true;
    case FAKE_QUOTA_FULL:
        *ret_error = protocol->quota_full;
        return request->step != FAKE_STEP_LIMIT;
    default:
        return false;
    }
}

static enum MHD_Result close_unaccepted(struct fakes_request *request, const char *why) {
    note_refused(request, 0, why);
    fakes_settle(request);
    return request->taken.behaviour.mode == FAKE_RESET ? fakes_reset(request) : MHD_NO;
}

static enum MHD_Result refuse_as_told(struct fakes_request *request, struct fake_error *error) {
    if (error->message[0] == '\0') {
        snprintf(error->message, sizeof(error->message), "told to %s", fake_mode_name(request->taken.behaviour.mode));
    }
    fakes_refuse(request, error);
    fakes_settle(request);
    return fakes_send(request);
}

enum MHD_Result fakes_finish(struct fakes_request *request) {
    struct fake_error error;
    switch (request->taken.behaviour.mode) {
    case FAKE_DROP:
        return close_unaccepted(request, "the connection was dropped");
    case FAKE_RESET:
        return close_unaccepted(request, "the connection was reset");
    default:
        break;
    }
    if (refusal_of(request, &error)) {
        return refuse_as_told(request, &error);
    }
    have_effect(request);
    if (request->taken.behaviour.mode == FAKE_RESET_AFTER) {
        return fakes_reset(request);
    }
    if (request->logged) {
        fake_ledger_answered(request->fakes->ledger, request->line, fakes_now_ms());
    }
    return fakes_send(request);
}

enum MHD_Result fakes_call(struct fakes_request *request, enum fake_channel channel, enum fake_step step,
                           const struct fakes_protocol *protocol, fakes_effect *effect) {
    struct fakes *fakes = request->fakes;
    request->channel = channel;
    request->step = step;
    request->protocol = protocol;
    request->effect = effect;
    (void)fakes_scenario_run(fakes);
    request->taken = fake_channels_take(fakes->channels, channel, step);
    if (request->key[0] != '\0' && (step == FAKE_STEP_POST || step == FAKE_STEP_SEND)) {
        fake_ledger_begin(fakes->ledger, channel, request->key);
        request->undecided = true;
    }
    switch (request->taken.behaviour.mode) {
    case FAKE_LATE:
        have_effect(request);
        break;
    case FAKE_HANG:
        have_effect(request);
        return fakes_wait(request, UINT32_MAX);
    case FAKE_STALL:
        note_refused(request, 0, "told to stall");
        return fakes_wait(request, UINT32_MAX);
    default:
        break;
    }
    return request->taken.delay_ms == 0 ? fakes_finish(request) : fakes_wait(request, request->taken.delay_ms);
}
