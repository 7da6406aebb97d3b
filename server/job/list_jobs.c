/* ListJobs: jobs of all users or of one, newest first, by keyset pages. */
#include "client/base/minimum.h"
#include "herald/uuid.h"
#include "server/job/job_message.h"
#include "server/job/job_service.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PAGE_SIZE 20

/* A page token is "<created_at_us>_<id>" of the last job of the page before. */
static enum herald_code read_job_token(const char *token, struct job_place *ret_place, struct herald_error *reterr) {
    struct job_place place = {.id = ""};
    if (token[0] != '\0') {
        char *end = NULL;
        place.created_at_us = strtoll(token, &end, 10);
        if (end == token || *end != '_' || place.created_at_us <= 0 || !herald_uuid_valid(end + 1, strlen(end + 1))) {
            enum herald_code code =
                herald_error_set(reterr, HERALD_REASON_BAD_PAGE_TOKEN,
                                 "pageToken is not one that ListJobs gave; leave it out for the first page");
            herald_error_add_detail(reterr, "pageToken", HERALD_REASON_BAD_PAGE_TOKEN, "not a token of ListJobs");
            return code;
        }
        place.id = end + 1;
    }
    *ret_place = place;
    return HERALD_OK;
}

static enum herald_code fill_job_page(const struct job_row *jobs, size_t count, size_t page_size,
                                      Herald__Job__V1__ListJobsResponse *response, struct herald_error *reterr) {
    size_t shown = herald_min_size(count, page_size);
    response->jobs = arena_calloc(call_arena(), shown, sizeof(response->jobs[0]));
    for (size_t i = 0; response->jobs && i < shown; i++) {
        response->jobs[i] = job_message(&jobs[i]);
        if (!response->jobs[i]) {
            return arena_full(reterr, "the page");
        }
        response->n_jobs = i + 1;
    }
    if (response->jobs && count > shown) {
        const struct job_row *last = &jobs[shown - 1];
        response->next_page_token = arena_printf(call_arena(), "%" PRId64 "_%s", last->created_at_us, last->id);
    }
    return response->jobs && response->next_page_token ? HERALD_OK : arena_full(reterr, "the page");
}

TASK_FN enum herald_code job_list_jobs(void *self, const Herald__Job__V1__ListJobsRequest *request,
                                       Herald__Job__V1__ListJobsResponse *response, struct herald_error *reterr) {
    const struct job_service *service = self;
    struct job_place before;
    enum herald_code code = read_job_token(request->page_token, &before, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const struct job_filter filter = {
        .status = (int)request->status,
        .event_draft_id = request->event_draft_id,
        .user_id = request->user_id,
        .only_dead_letters = request->dead_letters,
    };
    unsigned page_size = request->page_size ? request->page_size : DEFAULT_PAGE_SIZE;
    struct job_row *jobs = NULL;
    size_t count = 0;
    /* one more than the page shows whether there is a next page */
    code = job_store_list(service->db, &filter, &before, page_size + 1, &jobs, &count, reterr);
    return code == HERALD_OK ? fill_job_page(jobs, count, page_size, response, reterr) : code;
}
