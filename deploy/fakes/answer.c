#include "deploy/fakes/fakes_private.h"
#include "server/runtime/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t fakes_now_ms(void) {
    return clock_wall_us() / 1000;
}

bool fakes_wait(struct fakes *fakes, uint32_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&fakes->lock);
    while (!fakes->stopping && pthread_cond_timedwait(&fakes->stop, &fakes->lock, &until) != ETIMEDOUT) {
        continue;
    }
    bool going = !fakes->stopping;
    pthread_mutex_unlock(&fakes->lock);
    return going;
}

enum MHD_Result fakes_answer_text(struct fakes_request *request, unsigned status, const char *content_type, char *text,
                                  uint32_t retry_after_s) {
    if (text == NULL) {
        return MHD_NO;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "content-type", content_type);
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%u", (unsigned)retry_after_s);
    if (retry_after_s > 0) {
        MHD_add_response_header(response, "retry-after", seconds);
    }
    enum MHD_Result result = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result fakes_answer(struct fakes_request *request, unsigned status, json_t *json, uint32_t retry_after_s) {
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return fakes_answer_text(request, status, "application/json", text, retry_after_s);
}

enum MHD_Result fakes_answer_error(struct fakes_request *request, unsigned status, const char *message) {
    return fakes_answer(request, status, json_pack("{s:s}", "error", message), 0);
}
