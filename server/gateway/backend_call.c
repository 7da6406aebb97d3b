#include "server/gateway/backend_call.h"

#include "client/src/call.h"
#include "herald/json.h"

#include <stdlib.h>
#include <string.h>

struct backend_wait {
    struct loop_work work; /* first */
    struct loop *loop;
    struct completion completion;
    const struct herald_method_schema *method;
    struct backend_end *end;
};

static void on_backend_end_on_loop(struct loop_work *work) {
    struct backend_wait *wait = (struct backend_wait *)work;
    completion_complete(&wait->completion);
}

static struct herald_reply *keep_failure(const struct herald_reply *reply) {
    struct herald_reply *kept = malloc(sizeof(*kept));
    if (kept != NULL) {
        memcpy(kept, reply, offsetof(struct herald_reply, error));
        herald_error_copy(&kept->error, &reply->error);
        memcpy((char *)kept + offsetof(struct herald_reply, message),
               (const char *)reply + offsetof(struct herald_reply, message),
               sizeof(*kept) - offsetof(struct herald_reply, message));
        kept->message = NULL;
        kept->payload = NULL;
        kept->memory = NULL;
        kept->metadata = NULL;
        kept->metadata_count = 0;
    }
    return kept;
}

/* On the loop, or on a thread of nng. */
static void on_backend_end(void *user, struct herald_reply *reply) {
    static const struct herald_json_write_options OPTIONS = {.with_defaults = true};
    struct backend_wait *wait = user;
    struct backend_end *end = wait->end;
    memcpy(end->call_id, reply->call_id, sizeof(end->call_id));
    memcpy(end->idempotency_key, reply->idempotency_key, sizeof(end->idempotency_key));
    end->code = reply->error.code;
    if (end->code == HERALD_OK) {
        end->code = herald_json_write(wait->method->response, reply->message, &OPTIONS, &end->json, &reply->error);
    }
    if (end->code == HERALD_OK) {
        end->json_bytes = strlen(end->json);
    } else {
        end->reply = keep_failure(reply);
    }
    herald_reply_clear(reply);
    if (loop_current() == wait->loop) {
        completion_complete(&wait->completion);
        return;
    }
    wait->work.run = on_backend_end_on_loop;
    loop_post(wait->loop, &wait->work);
}

static void fail_at_start(const struct herald_method_schema *method, const struct herald_error *error,
                          struct backend_end *end) {
    struct herald_reply *reply = calloc(1, sizeof(*reply));
    end->code = error->code;
    end->reply = reply;
    if (reply != NULL) {
        reply->outcome = HERALD_NOT_SENT;
        reply->effect = method->effect;
        herald_error_copy(&reply->error, error);
    }
}

void backend_call(struct herald_channel *channel, const struct herald_method_schema *method,
                  const ProtobufCMessage *request, const struct backend_call_options *options,
                  struct backend_end *ret_end) {
    const struct call *call = call_current();
    const struct herald_call_options call_options = {
        .timeout_ms = options->timeout_ms,
        .call_id = *call->id ? call->id : NULL,
        .idempotency_key = options->idempotency_key,
        .traceparent = *call->traceparent ? call->traceparent : NULL,
        .credential = options->credential,
    };
    struct backend_wait wait = {.loop = loop_current(), .method = method, .end = ret_end};
    struct herald_call *started = NULL;
    struct herald_error error;
    error.code = HERALD_OK;
    *ret_end = (struct backend_end){.code = HERALD_OK};
    completion_init(&wait.completion);
    wait.completion.what = "a reply of a server";
    if (herald_call_start(channel, method, request, &call_options, on_backend_end, &wait, &started, &error) !=
        HERALD_OK) {
        fail_at_start(method, &error, ret_end);
        return;
    }
    enum herald_code code = completion_wait(&wait.completion, NULL);
    if (code != HERALD_OK) {
        herald_call_give_up(started, code == HERALD_DEADLINE_EXCEEDED);
        completion_wait_always(&wait.completion);
    }
    herald_call_release(started);
}

void backend_end_clear(struct backend_end *end) {
    free(end->json);
    free(end->reply);
    end->json = NULL;
    end->reply = NULL;
}
