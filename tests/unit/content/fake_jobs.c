#include "fake_jobs.h"

#include "herald/job/v1/job.server.h"
#include "server/process/builtin.h"
#include "server/runtime/proto_arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define STATUS(name) HERALD__JOB__V1__JOB_STATUS__##name

/* Under the lock. */
static enum herald_code refusal(struct fake_jobs *jobs, struct herald_error *reterr) {
    if (jobs->refusals > 0) {
        jobs->refusals--;
        return herald_error_set_code(reterr, jobs->refusal, "TOLD_TO", "told to refuse");
    }
    return jobs->unknown ? herald_error_set(reterr, HERALD_REASON_JOB_NOT_FOUND, "there is no such job") : HERALD_OK;
}

static int status_of(const struct fake_jobs *jobs, const char *job_id) {
    int status = jobs->status;
    for (unsigned i = 0; i < jobs->report_count; i++) {
        if (strcmp(jobs->reports[i].job_id, job_id) == 0) {
            status = jobs->reports[i].status;
        }
    }
    return status;
}

/* Under the lock. As the real service counts. */
static unsigned attempts_locked(const struct fake_jobs *jobs, const char *job_id) {
    const char *last = "";
    unsigned attempts = !jobs->tried || strcmp(jobs->tried, job_id) == 0 ? jobs->attempts : 0;
    for (unsigned i = 0; i < jobs->report_count; i++) {
        const struct fake_report *report = &jobs->reports[i];
        if (strcmp(report->job_id, job_id) != 0 || report->attempt_id[0] == '\0') {
            continue;
        }
        bool same = strcmp(report->attempt_id, last) == 0;
        if (report->given_back && same) {
            attempts--;
            last = "";
        } else if (!report->given_back && !same) {
            attempts++;
            last = report->attempt_id;
        }
    }
    return attempts;
}

/* Under the lock. */
static Herald__Job__V1__Job *job_of(const struct fake_jobs *jobs, const char *job_id, int status) {
    Herald__Job__V1__Job *job = ARENA_MESSAGE(herald__job__v1__job);
    job->job_id = arena_strdup(call_arena(), job_id);
    job->status = (Herald__Job__V1__JobStatus)status;
    job->version = 1;
    job->attempts = attempts_locked(jobs, job_id);
    return job;
}

static enum herald_code get_job(void *self, const Herald__Job__V1__GetJobRequest *request,
                                Herald__Job__V1__GetJobResponse *response, struct herald_error *reterr) {
    struct fake_jobs *jobs = self;
    pthread_mutex_lock(&jobs->lock);
    enum herald_code code = refusal(jobs, reterr);
    response->job = job_of(jobs, request->job_id, status_of(jobs, request->job_id));
    pthread_mutex_unlock(&jobs->lock);
    return code;
}

static void note(struct fake_jobs *jobs, const Herald__Job__V1__UpdateJobRequest *request) {
    if (jobs->report_count == FAKE_REPORTS_MAX) {
        return;
    }
    struct fake_report *report = &jobs->reports[jobs->report_count++];
    snprintf(report->job_id, sizeof(report->job_id), "%s", request->job_id);
    snprintf(report->failure, sizeof(report->failure), "%s", request->failure);
    snprintf(report->attempt_id, sizeof(report->attempt_id), "%s", request->attempt_id);
    report->given_back = request->given_back;
    report->status = (int)request->status;
    report->percent = request->progress_percent;
    report->pictures = (unsigned)request->n_pictures;
    report->warnings = (unsigned)request->n_warnings;
    for (unsigned i = 0; i < report->warnings && i < FAKE_WARNINGS_MAX; i++) {
        snprintf(report->warning[i], sizeof(report->warning[i]), "%s", request->warnings[i]);
    }
    if (request->n_pictures > 0) {
        snprintf(report->first_png, sizeof(report->first_png), "%s", request->pictures[0]->png_url);
    }
}

static enum herald_code update_job(void *self, const Herald__Job__V1__UpdateJobRequest *request,
                                   Herald__Job__V1__UpdateJobResponse *response, struct herald_error *reterr) {
    struct fake_jobs *jobs = self;
    pthread_mutex_lock(&jobs->lock);
    enum herald_code code = refusal(jobs, reterr);
    if (code == HERALD_OK) {
        note(jobs, request);
        response->job = job_of(jobs, request->job_id, (int)request->status);
        pthread_cond_broadcast(&jobs->changed);
    }
    pthread_mutex_unlock(&jobs->lock);
    return code;
}

static const struct herald_job_v1_job_service_handlers HANDLERS = {.get_job = get_job, .update_job = update_job};

static void *run_loop(void *arg) {
    loop_run(arg);
    return NULL;
}

static const char *url_of(void) {
    static char url[64];
    snprintf(url, sizeof(url), "inproc://herald-fake-jobs-%ld", (long)getpid());
    return url;
}

void fake_jobs_init(struct fake_jobs *jobs) {
    memset(jobs, 0, sizeof(*jobs));
    jobs->status = STATUS(PENDING);
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->changed, NULL);
    assert_int_equal(settings_load(&jobs->settings, NULL, NULL), HERALD_OK);
    assert_int_equal(loop_new(0, &jobs->loop, NULL), HERALD_OK);
    assert_int_equal(rpc_server_new("fake-jobs", &jobs->settings, &jobs->loop, 1, &jobs->server, NULL), HERALD_OK);
    assert_int_equal(builtin_services_add(jobs->server, &jobs->settings, NULL), HERALD_OK);
    assert_int_equal(rpc_server_add(jobs->server, &herald_job_v1_job_service_binding, &HANDLERS, NULL, jobs, NULL),
                     HERALD_OK);
    assert_int_equal(pthread_create(&jobs->thread, NULL, run_loop, jobs->loop), 0);
    const struct herald_channel_options options = {.connect_timeout_ms = 300};
    assert_int_equal(herald_channel_open(url_of(), &options, &jobs->channel, NULL), HERALD_OK);
}

void fake_jobs_listen(struct fake_jobs *jobs) {
    struct herald_error error;
    if (rpc_server_listen(jobs->server, url_of(), &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
}

void fake_jobs_fini(struct fake_jobs *jobs) {
    herald_channel_close(jobs->channel);
    loop_stop(jobs->loop);
    pthread_join(jobs->thread, NULL);
    rpc_server_free(jobs->server);
    loop_free(jobs->loop);
    settings_fini(&jobs->settings);
    pthread_cond_destroy(&jobs->changed);
    pthread_mutex_destroy(&jobs->lock);
}

void fake_jobs_refuse(struct fake_jobs *jobs, unsigned count, enum herald_code code) {
    pthread_mutex_lock(&jobs->lock);
    jobs->refusals = count;
    jobs->refusal = code;
    pthread_mutex_unlock(&jobs->lock);
}

static unsigned count_locked(const struct fake_jobs *jobs, const char *job_id, int status) {
    unsigned count = 0;
    for (unsigned i = 0; i < jobs->report_count; i++) {
        const struct fake_report *report = &jobs->reports[i];
        count += strcmp(report->job_id, job_id) == 0 && report->status == status && !report->given_back;
    }
    return count;
}

unsigned fake_jobs_count(struct fake_jobs *jobs, const char *job_id, int status) {
    pthread_mutex_lock(&jobs->lock);
    unsigned count = count_locked(jobs, job_id, status);
    pthread_mutex_unlock(&jobs->lock);
    return count;
}

unsigned fake_jobs_attempts(struct fake_jobs *jobs, const char *job_id) {
    pthread_mutex_lock(&jobs->lock);
    unsigned attempts = attempts_locked(jobs, job_id);
    pthread_mutex_unlock(&jobs->lock);
    return attempts;
}

bool fake_jobs_wait(struct fake_jobs *jobs, const char *job_id, int status) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&jobs->lock);
    while (count_locked(jobs, job_id, status) == 0 &&
           pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until) != ETIMEDOUT) {
        continue;
    }
    bool reported = count_locked(jobs, job_id, status) > 0;
    pthread_mutex_unlock(&jobs->lock);
    return reported;
}
