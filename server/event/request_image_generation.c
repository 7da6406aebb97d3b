/*
 * RequestImageGeneration: flow B, steps 1 to 3. The content worker makes the pictures (step 4). The first effect is the job, and its
 * transaction binds the key: a repeat of the call gets the same job, and another request under the key is refused there.
 */
#include "herald/job/v1/job.task.h"
#include "server/durable/once.h"
#include "server/event/event_service.h"
#include "server/runtime/proto_arena.h"

static enum herald_code check_ready(const struct event_draft *draft, struct herald_error *reterr) {
    if (draft->status != EVENT_DRAFT) {
        return herald_error_set(reterr, HERALD_REASON_WRONG_STATE,
                                "pictures are made for drafts; this event is not a draft any more");
    }
    if (draft->recommendation_id[0] == '\0') {
        enum herald_code code = herald_error_set(reterr, HERALD_REASON_RECOMMENDATION_NOT_SELECTED,
                                                 "choose a recommendation first, with SelectRecommendation");
        herald_error_add_detail(reterr, "recommendation", HERALD_REASON_REQUIRED, "no recommendation is chosen");
        return code;
    }
    return HERALD_OK;
}

static void fill_request(Herald__Job__V1__CreateImageJobRequest *request, Herald__Job__V1__StoreInfo *store,
                         const struct event_draft *draft) {
    herald__job__v1__store_info__init(store);
    store->name = borrow_str(draft->store_name);
    store->address = borrow_str(draft->store_address);
    store->phone = borrow_str(draft->store_phone);
    herald__job__v1__create_image_job_request__init(request);
    request->event_draft_id = borrow_str(draft->id);
    request->user_id = borrow_str(draft->user_id);
    request->title = borrow_str(draft->title);
    request->prize = borrow_str(draft->prize);
    request->brand_color = borrow_str(draft->brand_color);
    request->logo_url = borrow_str(draft->logo_url);
    request->store_info = store;
}

/* Step 2. */
TASK_FN static enum herald_code create_job(struct event_service *service, const struct event_draft *draft,
                                           const struct once *once,
                                           const Herald__Job__V1__CreateImageJobResponse **ret_job,
                                           struct herald_error *reterr) {
    Herald__Job__V1__StoreInfo store;
    Herald__Job__V1__CreateImageJobRequest request;
    fill_request(&request, &store, draft);
    struct remote_options options = {0};
    enum herald_code code = once_downstream_key(once, &options.idempotency_key, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = herald_job_v1_job_service_create_image_job_task(service->jobs, &request, &options, NULL, ret_job, reterr);
    if (code != HERALD_OK && herald_error_is(reterr, HERALD_REASON_IDEMPOTENCY_KEY_REUSED)) {
        (void)once_refuse_reuse(once, reterr); /* the same code, in the words of the caller's key */
    }
    return code;
}

TASK_FN static enum herald_code request_event_images(void *self, const ProtobufCMessage *message,
                                                     ProtobufCMessage *reply, struct once *once,
                                                     struct herald_error *reterr) {
    struct event_service *service = self;
    (void)message; /* the read has used it */
    Herald__Event__V1__RequestImageGenerationResponse *response =
        (Herald__Event__V1__RequestImageGenerationResponse *)reply;
    const struct event_draft *draft = once->read;
    enum herald_code code = check_ready(draft, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const Herald__Job__V1__CreateImageJobResponse *job = NULL;
    code = create_job(service, draft, once, &job, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->job_id = job->job_id;
    response->status = job->status;
    const struct idempotency_row *row = NULL;
    code = once_reply(once, reply, &row, reterr);
    return code == HERALD_OK
               ? event_store_set_image_job(service->db, draft->id, draft->user_id, job->job_id, row, reterr)
               : code;
}

/* Step 1. */
static void add_draft_read(struct db_batch *batch, const ProtobufCMessage *message) {
    const Herald__Event__V1__RequestImageGenerationRequest *request =
        (const Herald__Event__V1__RequestImageGenerationRequest *)message;
    event_store_add_load(batch, request->event_draft_id, request->user_id);
}

static enum herald_code take_draft_read(const struct db_reply *reply, unsigned index, void **ret_read,
                                        struct herald_error *reterr) {
    struct event_draft *draft = arena_alloc(call_arena(), sizeof(*draft));
    *ret_read = draft;
    return draft ? event_store_read_load(reply, index, draft, reterr) : arena_full(reterr, "the event");
}

static const struct once_read draft_read = {.add = add_draft_read, .take = take_draft_read};

TASK_FN enum herald_code event_request_image_generation(void *self,
                                                        const Herald__Event__V1__RequestImageGenerationRequest *request,
                                                        Herald__Event__V1__RequestImageGenerationResponse *response,
                                                        struct herald_error *reterr) {
    struct event_service *service = self;
    return once_run_reading(service->db, herald_event_v1_event_service_request_image_generation_method, &draft_read,
                            request_event_images, self, &request->base, &response->base, reterr);
}
