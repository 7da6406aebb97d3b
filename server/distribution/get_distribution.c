/* GetDistribution and WaitDistribution: how the deliveries of an event stand. */
#include "client/base/minimum.h"
#include "client/base/or_default.h"
#include "server/distribution/distribution_service.h"
#include "server/distribution/results.h"
#include "server/runtime/proto_arena.h"

#define ATTEMPTS_MOST   100
#define STEPS_MOST      100
#define WAIT_DEFAULT_MS 30000
#define WAIT_MARGIN_MS  500 /* kept of the caller's time for the reply */

typedef Herald__Distribution__V1__GetDistributionResponse GetResponse;
typedef Herald__Distribution__V1__WaitDistributionRequest WaitRequest;
typedef Herald__Distribution__V1__DeliveryAttempt DeliveryAttempt;

static enum herald_code fill_distribution(const struct engine_process *process,
                                          const struct loaded_distribution *loaded, GetResponse *response,
                                          struct herald_error *reterr) {
    response->distribution_id = borrow_str(loaded->row.id);
    response->completed = loaded->row.unsettled == 0;
    response->version = loaded->row.version;
    response->time_zone = borrow_str(loaded->row.time_zone);
    response->n_results = loaded->count;
    return arena_timestamp(loaded->row.scheduled_at_us, &response->scheduled_at) &&
                   arena_timestamp(loaded->row.created_at_us, &response->created_at) &&
                   arena_timestamp(loaded->row.completed_at_us, &response->completed_at) &&
                   delivery_results(process, loaded->deliveries, loaded->count, &response->results)
               ? HERALD_OK
               : arena_full(reterr, "the results");
}

static DeliveryAttempt *attempt_message(const struct attempt_row *row) {
    DeliveryAttempt *attempt = ARENA_MESSAGE(herald__distribution__v1__delivery_attempt);
    if (!attempt || !arena_timestamp(row->started_at_us, &attempt->started_at) ||
        !arena_timestamp(row->finished_at_us, &attempt->finished_at)) {
        return NULL;
    }
    attempt->channel = (Herald__Distribution__V1__Channel)row->channel;
    attempt->state = (Herald__Distribution__V1__DeliveryState)row->state;
    attempt->attempt = row->attempt;
    attempt->reason = borrow_str(row->reason);
    attempt->message = borrow_str(row->message);
    return attempt;
}

TASK_FN static enum herald_code add_attempts(const struct distribution_service *service, const char *event_id,
                                             GetResponse *response, struct herald_error *reterr) {
    struct attempt_row *rows = NULL;
    size_t count = 0;
    enum herald_code code = delivery_store_attempts(service->engine.db, event_id, ATTEMPTS_MOST, &rows, &count, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->attempts = arena_calloc(call_arena(), count, sizeof(*response->attempts));
    for (size_t i = 0; response->attempts && i < count; i++) {
        response->attempts[i] = attempt_message(&rows[i]);
        if (!response->attempts[i]) {
            return arena_full(reterr, "the attempts");
        }
    }
    response->n_attempts = response->attempts ? count : 0;
    return response->attempts ? HERALD_OK : arena_full(reterr, "the attempts");
}

static Herald__Distribution__V1__DeliveryStep *step_message(const struct step_row *row) {
    Herald__Distribution__V1__DeliveryStep *step = ARENA_MESSAGE(herald__distribution__v1__delivery_step);
    if (!step || !arena_timestamp(row->started_at_us, &step->started_at) ||
        !arena_timestamp(row->finished_at_us, &step->finished_at)) {
        return NULL;
    }
    step->channel = (Herald__Distribution__V1__Channel)row->channel;
    step->state = (Herald__Distribution__V1__DeliveryState)row->state;
    step->attempt = row->attempt;
    step->step = borrow_str(row->step);
    step->reason = borrow_str(row->reason);
    step->message = borrow_str(row->message);
    return step;
}

TASK_FN static enum herald_code add_steps(const struct distribution_service *service, const char *event_id,
                                          GetResponse *response, struct herald_error *reterr) {
    struct step_row *rows = NULL;
    size_t count = 0;
    bool waits = false;
    enum herald_code code = delivery_store_steps(service->engine.db, event_id, response->distribution_id, STEPS_MOST,
                                                 &rows, &count, &waits, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->completed_waits = waits;
    response->steps = arena_calloc(call_arena(), count, sizeof(*response->steps));
    for (size_t i = 0; response->steps && i < count; i++) {
        response->steps[i] = step_message(&rows[i]);
        if (!response->steps[i]) {
            return arena_full(reterr, "the steps");
        }
    }
    response->n_steps = response->steps ? count : 0;
    return response->steps ? HERALD_OK : arena_full(reterr, "the steps");
}

TASK_FN enum herald_code distribution_get_distribution(void *self,
                                                       const Herald__Distribution__V1__GetDistributionRequest *request,
                                                       Herald__Distribution__V1__GetDistributionResponse *response,
                                                       struct herald_error *reterr) {
    struct distribution_service *service = self;
    struct loaded_distribution loaded;
    enum herald_code code = distribution_load_of(service, request->event_id, request->user_id, &loaded, reterr);
    if (code == HERALD_OK) {
        code = fill_distribution(service->engine.process, &loaded, response, reterr);
    }
    if (code == HERALD_OK && request->with_attempts) {
        code = add_attempts(service, request->event_id, response, reterr);
    }
    return code == HERALD_OK && request->with_attempts ? add_steps(service, request->event_id, response, reterr) : code;
}

/* How long the request may wait, by its own wish and the call's time. */
static uint32_t wait_limit_ms(const WaitRequest *request) {
    uint32_t remaining_ms = call_remaining_ms();
    uint32_t most_ms = remaining_ms > WAIT_MARGIN_MS ? remaining_ms - WAIT_MARGIN_MS : 0;
    return herald_min_u32(herald_or_default(request->wait_ms, WAIT_DEFAULT_MS), most_ms);
}

TASK_FN enum herald_code
distribution_wait_distribution(void *self, const Herald__Distribution__V1__WaitDistributionRequest *request,
                               Herald__Distribution__V1__WaitDistributionResponse *response,
                               struct herald_error *reterr) {
    struct distribution_service *service = self;
    struct loaded_distribution loaded;
    call_current()->waits_on_purpose = true;
    enum herald_code code = distribution_load_of(service, request->event_id, request->user_id, &loaded, reterr);
    if (code == HERALD_OK && loaded.row.version <= request->after_version) {
        enum herald_code waited =
            watch_wait(&service->engine.watch, request->event_id, loaded.row.version, wait_limit_ms(request), NULL);
        code = waited == HERALD_OK ? HERALD_OK : call_check(reterr);
        if (code == HERALD_OK && waited == HERALD_OK) {
            code = distribution_load_of(service, request->event_id, request->user_id, &loaded, reterr);
        }
    }
    if (code != HERALD_OK) {
        return code;
    }
    response->distribution = ARENA_MESSAGE(herald__distribution__v1__get_distribution_response);
    return response->distribution ? fill_distribution(service->engine.process, &loaded, response->distribution, reterr)
                                  : arena_full(reterr, "the results");
}
