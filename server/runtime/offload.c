#include "server/runtime/loop_private.h"

#include <uv.h>

/* Lives on the waiting task's stack, because the wait does not end before the work. */
struct offload {
    uv_work_t request;
    void (*work)(void *arg);
    void *arg;
    struct completion completion;
};

static void on_pool_thread(uv_work_t *request) {
    struct offload *offload = request->data;
    offload->work(offload->arg);
}

static void on_offload_done(uv_work_t *request, int status) {
    struct offload *offload = request->data;
    (void)status; /* never UV_ECANCELED: the work is not cancelled */
    completion_complete(&offload->completion);
}

enum herald_code task_offload(void (*work)(void *arg), void *arg, struct herald_error *reterr) {
    struct offload offload = {.work = work, .arg = arg};
    completion_init(&offload.completion);
    offload.completion.what = "offloaded work";
    offload.request.data = &offload;
    int status = uv_queue_work(loop_uv(loop_current()), &offload.request, on_pool_thread, on_offload_done);
    if (status != 0) {
        return herald_error_set(reterr, HERALD_REASON_OFFLOAD, "cannot start work on a thread: %s",
                                uv_strerror(status));
    }
    completion_wait_always(&offload.completion);
    return HERALD_OK;
}
