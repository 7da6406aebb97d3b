/*
 * Calls of other servers from a task: remote_call(), which waits for the end of an asynchronous client call.
 *
 * A call's end is reported on the task's loop by the native engine, by nng on a thread of its own: then loop_post()
 * carries it to the loop. The task stays until then. If its own call must end early, it cancels the remote call and waits for
 * that call's end. The end comes at once and says whether the request was sent. So the state is on the task's stack. Of a
 * response it keeps what owns the bytes; they are unpacked once, into the call's arena.
 */
#include "client/src/call.h"
#include "client/src/reply.h"
#include "client/src/retry.h"
#include "herald/task.h"
#include "herald/unpack.h"
#include "server/runtime/task.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct remote_call_state {
    struct loop_work work; /* first */
    struct loop *loop;
    struct completion completion;
    /* Of the reply, once it has come. */
    enum herald_outcome outcome;
    enum herald_code code;
    struct herald_error *error; /* on the heap, because it is large; NULL: the call succeeded, or there was no memory */
    struct herald_response response;
};

static void on_end_on_loop(struct loop_work *work) {
    struct remote_call_state *state = (struct remote_call_state *)work;
    completion_complete(&state->completion);
}

static void on_remote_call_end(void *user, struct herald_reply *reply) {
    struct remote_call_state *state = user;
    state->outcome = reply->outcome;
    state->code = reply->error.code;
    if (state->code == HERALD_OK) {
        state->response = herald_reply_take_response(reply);
    } else if ((state->error = malloc(sizeof(*state->error))) != NULL) {
        herald_error_copy(state->error, &reply->error);
    }
    herald_reply_clear(reply);
    if (loop_current() == state->loop) {
        completion_complete(&state->completion);
        return;
    }
    state->work.run = on_end_on_loop;
    loop_post(state->loop, &state->work);
}

/* The smaller of two: the caller's wish or the method's default, and what remains of the running call. */
static uint32_t time_left_ms(const struct herald_method_schema *method, const struct remote_options *options) {
    uint32_t wanted_ms = options && options->timeout_ms > 0 ? options->timeout_ms : method->deadline_ms;
    uint32_t remaining_ms = call_remaining_ms();
    return wanted_ms == 0 || wanted_ms > remaining_ms ? remaining_ms : wanted_ms;
}

/* Unpacks the response into the call's arena, which outlives the reply. */
static enum herald_code take_response(const struct herald_method_schema *method, const struct herald_response *response,
                                      ProtobufCMessage **ret_response, struct herald_error *reterr) {
    struct herald_error error;
    error.code = HERALD_OK;
    enum herald_code code = herald_unpack(method->response, &call_arena()->protobuf, response->payload,
                                          response->payload_bytes, ret_response, &error);
    if (code == HERALD_OK || code == HERALD_RESOURCE_EXHAUSTED) {
        if (code != HERALD_OK) {
            herald_error_copy(reterr, &error);
        }
        return code;
    }
    return herald_error_set(reterr, HERALD_REASON_MALFORMED_RESPONSE, "the response of %s is malformed: %s",
                            method->full_name, error.message);
}

/* Waits for the end; cancels the call if the running call must end first. Returns why it was early, or HERALD_OK. */
TASK_FN static enum herald_code wait_for_call_end(struct remote_call_state *state, struct herald_call *started,
                                                  struct herald_error *reterr) {
    enum herald_code code = completion_wait(&state->completion, reterr);
    if (code != HERALD_OK) {
        herald_call_give_up(started, code == HERALD_DEADLINE_EXCEEDED);
        completion_wait_always(&state->completion);
    }
    herald_call_release(started);
    return code;
}

/*
 * A handler may end with the error of a call that it made. A reason that says "the server did not begin" is true of
 * that call only: the handler's own call has begun. Such a reason is replaced.
 */
static void pass_error(const struct herald_error *error, struct herald_error *reterr) {
    const struct herald_attempt_end end = herald_attempt_end_of(HERALD_EXECUTED, error);
    herald_error_copy(reterr, error);
    if (reterr && herald_retry_is_refusal(&end)) {
        const char *word = herald_reason_name(herald_reason_downstream(herald_reason_find(error->reason)));
        snprintf(reterr->reason, sizeof(reterr->reason), "%s", word);
    }
}

static enum herald_code start_remote_call(struct herald_channel *channel, const struct herald_method_schema *method,
                                          const ProtobufCMessage *request, const struct remote_options *options,
                                          struct remote_call_state *state, struct herald_call **ret_started,
                                          struct herald_error *reterr) {
    const struct call *call = call_current();
    assert(call);
    const struct herald_call_options call_options = {
        .timeout_ms = time_left_ms(method, options),
        .call_id = *call->id ? call->id : NULL,
        .idempotency_key = options ? options->idempotency_key : NULL,
        .traceparent = *call->traceparent ? call->traceparent : NULL,
        .acting_user = *call->user ? call->user : NULL,
    };
    state->loop = loop_current();
    completion_init(&state->completion);
    state->completion.what = "a reply of another server";
    struct herald_error error;
    error.code = HERALD_OK;
    enum herald_code code = herald_call_start_packed(channel, method, request, &call_options, on_remote_call_end, state,
                                                     ret_started, &error);
    if (code != HERALD_OK) {
        pass_error(&error, reterr);
    }
    return code;
}

/* Notes for the running call what this one did or may have done. */
static void note_effect(const struct herald_method_schema *method, enum herald_outcome outcome, enum herald_code code) {
    bool done = outcome == HERALD_MAYBE_EXECUTED || (outcome == HERALD_EXECUTED && code == HERALD_OK);
    if (done && method->effect != HERALD_EFFECT_READ) {
        call_note_effect();
    }
}

TASK_FN static enum herald_code finish_remote_call(struct remote_call_state *state,
                                                   const struct herald_method_schema *method,
                                                   struct herald_call *started, enum herald_outcome *ret_outcome,
                                                   ProtobufCMessage **ret_response, struct herald_error *reterr) {
    enum herald_code code = wait_for_call_end(state, started, reterr);
    bool is_known = state->code == HERALD_OK || state->error;
    if (code != HERALD_OK || !is_known) {
        *ret_outcome = state->outcome == HERALD_NOT_SENT ? HERALD_NOT_SENT : HERALD_MAYBE_EXECUTED;
        note_effect(method, *ret_outcome, HERALD_UNKNOWN);
        return code != HERALD_OK ? code : herald_error_no_memory(reterr, "the reply of %s", method->full_name);
    }
    *ret_outcome = state->outcome;
    note_effect(method, *ret_outcome, state->code);
    if (state->code == HERALD_OK) {
        return take_response(method, &state->response, ret_response, reterr);
    }
    pass_error(state->error, reterr);
    return state->code;
}

/* Makes the call, once the running call may continue. */
TASK_FN static enum herald_code run_call(struct herald_channel *channel, const struct herald_method_schema *method,
                                         const ProtobufCMessage *request, const struct remote_options *options,
                                         enum herald_outcome *ret_outcome, ProtobufCMessage **ret_response,
                                         struct herald_error *reterr) {
    struct herald_call *started = NULL;
    struct remote_call_state state = {.code = HERALD_OK};
    enum herald_code code = start_remote_call(channel, method, request, options, &state, &started, reterr);
    if (code == HERALD_OK) {
        code = finish_remote_call(&state, method, started, ret_outcome, ret_response, reterr);
    }
    herald_response_clear(&state.response);
    free(state.error);
    return code;
}

enum herald_code remote_call(struct herald_channel *channel, const struct herald_method_schema *method,
                             const ProtobufCMessage *request, const struct remote_options *options,
                             enum herald_outcome *ret_outcome, ProtobufCMessage **ret_response,
                             struct herald_error *reterr) {
    enum herald_outcome outcome = HERALD_NOT_SENT;
    enum herald_code code = call_check(reterr);
    if (code == HERALD_OK) {
        uint64_t start_us = clock_now_us();
        code = run_call(channel, method, request, options, &outcome, ret_response, reterr);
        call_current()->downstream_us += clock_now_us() - start_us;
    }
    if (ret_outcome) {
        *ret_outcome = outcome;
    }
    return code;
}
