/* heraldctl watch job: shows a job by long polls until it has ended. */
#include "deploy/ctl/watch_job.h"

#include "deploy/ctl/clean.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/table.h"
#include "deploy/ctl/watching.h"
#include "herald/job/v1/job.client.h"
#include "herald/json.h"

#include <stdlib.h>

/* Below the method's deadline of 65 s, and short enough for a progress line that shows the time. */
#define WAIT_MS 1000

void watch_job_line(const Herald__Job__V1__Job *job, char *ret_line, size_t bytes) {
    snprintf(ret_line, bytes, "%-9s %3u %%  %zu of 3 pictures",
             ctl_enum_name(&herald__job__v1__job_status__descriptor, (int)job->status), (unsigned)job->progress_percent,
             job->n_pictures);
}

static void print_job_json(const Herald__Job__V1__Job *job) {
    char *json = NULL;
    struct herald_json_write_options options = {.with_defaults = true};
    if (herald_json_write(&herald_job_v1_job_schema, &job->base, &options, &json, NULL) != HERALD_OK) {
        return;
    }
    puts(json);
    fflush(stdout);
    free(json);
}

static void print_warnings(const Herald__Job__V1__Job *job) {
    for (size_t i = 0; i < job->n_warnings; i++) {
        printf("warning: %s\n", clean_text(job->warnings[i]));
    }
}

static void print_pictures(const Herald__Job__V1__Job *job) {
    static const char *const heading[] = {"STYLE", "PNG", "JPEG"};
    struct table table = {.columns = 3};
    table_add(&table, heading);
    for (size_t i = 0; i < job->n_pictures; i++) {
        const char *cells[] = {ctl_enum_name(&herald__job__v1__style__descriptor, (int)job->pictures[i]->style),
                               job->pictures[i]->png_url, job->pictures[i]->jpeg_url};
        table_add(&table, cells);
    }
    table_print(&table, stdout);
    table_fini(&table);
}

/* Shows a job. Returns: whether it has ended; *ret_status is the exit status then */
static bool show_job(struct watch *watch, const Herald__Job__V1__WaitJobResponse *response, uint64_t *version,
                     int *ret_status) {
    const Herald__Job__V1__Job *job = response->job;
    char line[128];
    if (job == NULL) {
        return false;
    }
    watch_job_line(job, line, sizeof(line));
    progress_show(&watch->progress, line);
    if (watch->ctl->arguments->format == CTL_JSON && job->version != *version) {
        print_job_json(job);
    }
    *version = job->version;
    if (job->status != HERALD__JOB__V1__JOB_STATUS__COMPLETED && job->status != HERALD__JOB__V1__JOB_STATUS__FAILED) {
        return false;
    }
    progress_end(&watch->progress);
    *ret_status = job->status == HERALD__JOB__V1__JOB_STATUS__COMPLETED ? CTL_OK : CTL_FAILED;
    if (watch->ctl->arguments->format == CTL_TABLE && *ret_status == CTL_OK) {
        print_pictures(job);
        print_warnings(job);
    }
    if (watch->ctl->arguments->format == CTL_TABLE && *ret_status != CTL_OK) {
        printf("failed: %s\n", clean_text(job->failure));
    }
    return true;
}

int watch_job(struct ctl *ctl, const char *job_id) {
    struct watch watch;
    struct herald_reply reply = {0};
    struct herald_channel *channel = NULL;
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    int status = CTL_FAILED;
    bool ended = false;
    watch_init(&watch, ctl);
    struct herald_channel_options options = *remote_options();
    options.retry.max_attempts = 1; /* watch_failed() retries, and shows that it waits */
    if (ctl_remote_open(settings_job_url(&ctl->settings), ctl->settings.rpc_max_message_bytes, &options, &channel,
                        &reply.error) != HERALD_OK) {
        report_error(stderr, ctl->arguments->format, "watch", &reply.error);
        return CTL_USAGE;
    }
    request.job_id = (char *)job_id;
    request.wait_ms = WAIT_MS;
    while (!ended && !watch_over(&watch)) {
        const Herald__Job__V1__WaitJobResponse *response = NULL;
        if (herald_job_v1_job_service_wait_job(channel, &request, NULL, &reply, &response) == HERALD_OK) {
            watch_answered(&watch);
            ended = show_job(&watch, response, &request.version, &status);
        } else {
            ended = !watch_failed(&watch, "JobService/WaitJob", &reply, &status);
        }
        herald_reply_clear(&reply);
    }
    herald_channel_close(channel);
    return status;
}
