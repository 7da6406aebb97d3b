#ifndef HERALD_TESTS_CONTENT_FAKE_JOBS_H
#define HERALD_TESTS_CONTENT_FAKE_JOBS_H

#include "herald/client.h"
#include "herald/job/v1/job.pb-c.h"
#include "server/programs/settings.h"
#include "server/rpc/server.h"

#include <pthread.h>
#include <stdbool.h>

/* A JobService in the test's own process, on a loop of its own, that writes down what it is told. */
#define FAKE_REPORTS_MAX  256
#define FAKE_WARNINGS_MAX 4

struct fake_report {
    char job_id[37];
    int status;
    unsigned percent, pictures;
    char failure[513];
    unsigned warnings;
    char warning[FAKE_WARNINGS_MAX][513];
    char attempt_id[37];
    bool given_back;
    char first_png[256];
};

struct fake_jobs {
    struct settings settings;
    struct loop *loop;
    pthread_t thread;
    struct rpc_server *server;
    struct herald_channel *channel; /* to it */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned refusals; /* calls still to be answered with refusal */
    enum herald_code refusal;
    bool unknown;      /* no job is known */
    int status;        /* of a job of which nothing was reported */
    unsigned attempts; /* of every job, before its first report */
    const char *tried; /* the only job that has these attempts; NULL: each has them */
    struct fake_report reports[FAKE_REPORTS_MAX];
    unsigned report_count;
};

/** Makes it, without listening yet, and a channel to the place where it will listen. */
void fake_jobs_init(struct fake_jobs *jobs);
void fake_jobs_listen(struct fake_jobs *jobs);
void fake_jobs_fini(struct fake_jobs *jobs);
/** Answers the next @count calls with @code. */
void fake_jobs_refuse(struct fake_jobs *jobs, unsigned count, enum herald_code code);
/** Waits until @job_id was reported with @status. False after 60 s. */
bool fake_jobs_wait(struct fake_jobs *jobs, const char *job_id, int status);
/** Attempts at @job_id that are counted now. */
unsigned fake_jobs_attempts(struct fake_jobs *jobs, const char *job_id);
/** Reports of @job_id with @status so far, without those that give an attempt back. */
unsigned fake_jobs_count(struct fake_jobs *jobs, const char *job_id, int status);

#endif
