/* heraldctl jobs and requeue: the jobs that make pictures, and those that have failed. */
#include "client/base/clock.h"
#include "deploy/ctl/ask.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/methods.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/table.h"
#include "herald/job/v1/job.client.h"

#define LIST_JOBS   herald_job_v1_job_service_list_jobs_method
#define REQUEUE_JOB herald_job_v1_job_service_requeue_job_method
#define JOBS_SHOWN  100u /* of one page; --failed shows all */

typedef Herald__Job__V1__Job job_shown;

/* Pages of ListJobs, while they are read. */
struct job_list {
    struct table table;
    size_t count, dead;
    char page_token[129];
};

static void add_job(struct job_list *list, const job_shown *job, int64_t now_us) {
    char created[MOMENT_BYTES], attempts[16], progress[16];
    moment_clock(job->created_at, now_us, created);
    snprintf(attempts, sizeof(attempts), "%u", (unsigned)job->attempts);
    snprintf(progress, sizeof(progress), "%u %%", (unsigned)job->progress_percent);
    const char *cells[] = {job->job_id, ctl_enum_name(&herald__job__v1__job_status__descriptor, (int)job->status),
                           progress,    attempts,
                           created,     job->event_draft_id,
                           job->failure};
    table_add(&list->table, cells);
    list->dead += job->dead_letter ? 1 : 0;
}

/* Reads a page. Returns: the exit status; list->page_token is empty after the last one */
static int read_job_page(struct ctl *ctl, struct herald_channel *channel, Herald__Job__V1__ListJobsRequest *request,
                         struct job_list *list) {
    const struct herald_call_options options = {.timeout_ms = ctl->arguments->timeout_ms};
    const Herald__Job__V1__ListJobsResponse *response = NULL;
    struct herald_reply reply = {0};
    int status = CTL_OK;
    request->page_token = list->page_token;
    if (herald_job_v1_job_service_list_jobs(channel, request, &options, &reply, &response) == HERALD_OK) {
        for (size_t i = 0; i < response->n_jobs && status == CTL_OK; i++, list->count++) {
            if (ctl->arguments->format == CTL_JSON) {
                status = ask_print_json(ctl, &herald_job_v1_job_schema, &response->jobs[i]->base);
            } else {
                add_job(list, response->jobs[i], herald_wall_us());
            }
        }
        snprintf(list->page_token, sizeof(list->page_token), "%s", response->next_page_token);
    } else {
        report_reply(stderr, ctl->arguments->format, LIST_JOBS->full_name, &reply);
        status = (int)report_status(&reply);
    }
    herald_reply_clear(&reply);
    return status;
}

static void print_job_list(const struct ctl *ctl, const struct job_list *list) {
    if (list->count == 0) {
        puts(ctl->arguments->failed ? "No failed job can begin anew." : "There are no such jobs.");
        return;
    }
    table_print(&list->table, stdout);
    if (list->page_token[0] != '\0') {
        printf("\nOnly the newest %zu are shown.\n", list->count);
    }
    if (list->dead > 0) {
        puts("\nTo let a failed job begin anew:\n  -> heraldctl requeue JOB_ID");
    }
}

int ctl_jobs(struct ctl *ctl) {
    static const char *const heading[] = {"JOB_ID", "STATUS", "PROGRESS", "ATTEMPTS", "CREATED", "DRAFT", "FAILURE"};
    const struct ctl_arguments *arguments = ctl->arguments;
    Herald__Job__V1__ListJobsRequest request = HERALD__JOB__V1__LIST_JOBS_REQUEST__INIT;
    struct job_list list = {.table = {.columns = sizeof(heading) / sizeof(heading[0])}};
    struct herald_channel *channel = NULL;
    struct herald_error error;
    request.dead_letters = arguments->failed;
    request.page_size = JOBS_SHOWN;
    request.event_draft_id = (char *)(arguments->draft != NULL ? arguments->draft : "");
    request.user_id = (char *)(arguments->user != NULL ? arguments->user : "");
    if (ctl_remote_open(methods_url(arguments, &ctl->settings, LIST_JOBS), ctl->settings.rpc_max_message_bytes, NULL,
                        &channel, &error) != HERALD_OK) {
        report_error(stderr, arguments->format, "jobs", &error);
        return CTL_USAGE;
    }
    int status;
    table_add(&list.table, heading);
    do {
        status = read_job_page(ctl, channel, &request, &list);
    } while (status == CTL_OK && arguments->failed && list.page_token[0] != '\0');
    if (status == CTL_OK && arguments->format == CTL_TABLE) {
        print_job_list(ctl, &list);
    }
    table_fini(&list.table);
    herald_channel_close(channel);
    return status;
}

/* ---- requeue ---- */

static void show_requeued(const struct ctl *ctl, const ProtobufCMessage *message) {
    (void)ctl;
    const job_shown *job = ((const Herald__Job__V1__RequeueJobResponse *)message)->job;
    printf("%s begins anew. To watch it:\n  -> heraldctl watch job %s\n", job != NULL ? job->job_id : "It",
           job != NULL ? job->job_id : "JOB_ID");
}

int ctl_requeue(struct ctl *ctl) {
    Herald__Job__V1__RequeueJobRequest request = HERALD__JOB__V1__REQUEUE_JOB_REQUEST__INIT;
    request.job_id = (char *)ctl->arguments->operands[0];
    return ask(ctl, REQUEUE_JOB, &request.base, show_requeued);
}
