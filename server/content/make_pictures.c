/*
 * Flow B, step 4: the attempts at one job. Pictures are drawn and stored on a thread of libuv's pool; reports go to the
 * job service after each one.
 */
#include "server/content/make_pictures.h"

#include "herald/uuid.h"
#include "server/content/backoff.h"
#include "server/content/content_failpoints.h"
#include "server/content/content_log.h"
#include "server/content/job_reports.h"
#include "server/content/picture_store.h"
#include "server/content/picture_warnings.h"
#include "server/content/render.h"
#include "server/outgoing/picture_url.h"
#include "server/runtime/call.h"
#include "server/runtime/proto_arena.h"

#include <stdio.h>
#include <string.h>

#define STATUS(name) HERALD__JOB__V1__JOB_STATUS__##name

/* Progress of a job, in percent, when the style of that index is done. */
static const uint32_t PROGRESS[RENDER_STYLE_COUNT] = {35, 65, 100};
#define PROGRESS_BEGUN 5

static const Herald__Job__V1__Style WIRE_STYLES[RENDER_STYLE_COUNT] = {
    [RENDER_SIMPLE] = HERALD__JOB__V1__STYLE__SIMPLE,
    [RENDER_FANCY] = HERALD__JOB__V1__STYLE__FANCY,
    [RENDER_TRENDY] = HERALD__JOB__V1__STYLE__TRENDY,
};

/* --- one picture, on a thread of the pool ------------------------------------------------------------------------ */

struct picture_work {
    struct render_input input;
    enum render_style style;
    const char *dir, *key; /* of the pictures of the job */
    struct render_layout layout;
    enum herald_code code;
    struct herald_error error;
};

static enum herald_code store(const struct picture_work *work, const struct render_picture *picture,
                              struct herald_error *reterr) {
    char png[32], jpeg[32];
    snprintf(png, sizeof(png), "%s.png", render_style_name(work->style));
    snprintf(jpeg, sizeof(jpeg), "%s.jpg", render_style_name(work->style));
    enum herald_code code = picture_store_write(work->dir, work->key, png, picture->png, picture->png_bytes, reterr);
    if (code == HERALD_OK) {
        code = picture_store_write(work->dir, work->key, jpeg, picture->jpeg, picture->jpeg_bytes, reterr);
    }
    return code;
}

static void draw_and_store(void *arg) {
    struct picture_work *work = arg;
    struct render_picture picture;
    work->code = render_picture(&work->input, work->style, &picture, &work->error);
    if (work->code != HERALD_OK) {
        return;
    }
    work->layout = picture.layout;
    work->code = store(work, &picture, &work->error);
    render_picture_fini(&picture);
}

static void log_dropped(const char *job_id, enum render_style style, const struct render_layout *layout) {
    unsigned count = 0;
    for (int i = 0; i < RENDER_INPUT_TEXTS; i++) {
        count += layout->missing[i].total;
    }
    if (count > 0) {
        log_emit(&LOG_CONTENT_DROPPED_CHARACTERS, log_str("job_id", job_id), log_str("style", render_style_name(style)),
                 log_u64("count", count), LOG_END);
    }
}

TASK_FN static enum herald_code make_picture(const struct make_pictures_options *options,
                                             const Herald__Job__V1__ImageJob *job, const char *key,
                                             enum render_style style, struct picture_warnings *warnings,
                                             struct herald_error *reterr) {
    struct picture_work work = {
        .input = {.title = job->title,
                  .prize = job->prize,
                  .brand_color = job->brand_color,
                  .store_name = job->store_info->name,
                  .store_address = job->store_info->address,
                  .store_phone = job->store_info->phone},
        .style = style,
        .dir = options->dir,
        .key = key,
    };
    enum herald_code code = task_offload(draw_and_store, &work, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (work.code != HERALD_OK) {
        herald_error_copy(reterr, &work.error);
        return work.code;
    }
    log_dropped(job->job_id, style, &work.layout);
    return picture_warnings_add(warnings, &work.layout) ? HERALD_OK : arena_full(reterr, "the job's warnings");
}

/* --- reports ----------------------------------------------------------------------------------------------------- */

struct progress {
    Herald__Job__V1__Picture pictures[RENDER_STYLE_COUNT];
    Herald__Job__V1__Picture *list[RENDER_STYLE_COUNT];
    size_t count;
    struct picture_warnings warnings;
    char key[PICTURE_KEY_CHARS + 1]; /* of the URLs and of the folder */
};

static struct job_link link_of(const struct make_pictures_options *options) {
    return (struct job_link){.channel = options->jobs, .health = options->health};
}

static enum herald_code add_stored_picture(struct progress *progress, const struct make_pictures_options *options,
                                           enum render_style style, struct herald_error *reterr) {
    Herald__Job__V1__Picture *picture = &progress->pictures[progress->count];
    const char *name = render_style_name(style);
    herald__job__v1__picture__init(picture);
    picture->style = WIRE_STYLES[style];
    picture->png_url = arena_printf(call_arena(), "%s/content/%s/%s.png", options->url, progress->key, name);
    picture->jpeg_url = arena_printf(call_arena(), "%s/content/%s/%s.jpg", options->url, progress->key, name);
    if (picture->png_url == NULL || picture->jpeg_url == NULL) {
        return arena_full(reterr, "a picture's URL");
    }
    progress->list[progress->count++] = picture;
    return HERALD_OK;
}

TASK_FN static enum herald_code report_pictures(const struct make_pictures_options *options, const char *job_id,
                                                Herald__Job__V1__JobStatus status, uint32_t percent,
                                                struct progress *progress, struct herald_error *reterr) {
    Herald__Job__V1__UpdateJobRequest request = HERALD__JOB__V1__UPDATE_JOB_REQUEST__INIT;
    request.job_id = borrow_str(job_id);
    request.status = status;
    request.progress_percent = percent;
    request.n_pictures = progress->count;
    request.pictures = progress->list;
    request.n_warnings = progress->warnings.count;
    request.warnings = progress->warnings.list;
    const struct job_link link = link_of(options);
    struct job_state state;
    return job_report(&link, &request, &state, reterr);
}

/* Begins an attempt: its number into @ret_number. */
TASK_FN static enum herald_code report_attempt(const struct make_pictures_options *options, const char *job_id,
                                               const char *attempt_id, uint32_t *ret_number,
                                               struct herald_error *reterr) {
    Herald__Job__V1__UpdateJobRequest request = HERALD__JOB__V1__UPDATE_JOB_REQUEST__INIT;
    request.job_id = borrow_str(job_id);
    request.status = STATUS(RUNNING);
    request.progress_percent = PROGRESS_BEGUN;
    request.attempt_id = borrow_str(attempt_id);
    const struct job_link link = link_of(options);
    struct job_state state;
    enum herald_code code = job_report(&link, &request, &state, reterr);
    if (code == HERALD_OK) {
        *ret_number = state.attempts;
    }
    return code;
}

/* @attempt_id  "": no attempt was counted */
TASK_FN static enum herald_code report_failure(const struct make_pictures_options *options, const char *job_id,
                                               const char *attempt_id, const struct herald_error *failure,
                                               struct herald_error *reterr) {
    Herald__Job__V1__UpdateJobRequest request = HERALD__JOB__V1__UPDATE_JOB_REQUEST__INIT;
    struct herald_error text; /* its message is cut at the boundary of a character, below the 512 of the rule */
    herald_error_set_code(&text, failure->code, failure->reason, "%s: %s", failure->reason, failure->message);
    request.job_id = borrow_str(job_id);
    request.status = STATUS(FAILED);
    request.attempt_id = borrow_str(attempt_id);
    request.failure = text.message;
    const struct job_link link = link_of(options);
    struct job_state state;
    return job_report(&link, &request, &state, reterr);
}

/* --- the job ----------------------------------------------------------------------------------------------------- */

/* The attempts of one worker at one job. */
struct attempts {
    const struct make_pictures_options *options;
    const Herald__Job__V1__ImageJob *job;
    struct open_attempt open;
    char counted[37]; /* the open attempt, once the job's row has it; a job that has begun anew has another one */
    uint32_t number;  /* of the open attempt, as the job's row counts */
    uint32_t failed;  /* in this process: older job services do not count */
};

TASK_FN static enum herald_code make_all_pictures(const struct attempts *at, struct herald_error *reterr) {
    const struct make_pictures_options *options = at->options;
    struct progress progress = {.count = 0};
    enum herald_code code = picture_key(at->job->job_id, progress.key, reterr);
    for (int i = 0; code == HERALD_OK && i < RENDER_STYLE_COUNT; i++) {
        enum render_style style = (enum render_style)i;
        code = make_picture(options, at->job, progress.key, style, &progress.warnings, reterr);
        if (code == HERALD_OK && i + 1 == RENDER_STYLE_COUNT) { /* a small picture may fit where a large one does not */
            content_health_report(options->health, CONTENT_PICTURES, NULL);
        }
        if (code == HERALD_OK) {
            code = add_stored_picture(&progress, options, style, reterr);
        }
        if (code == HERALD_OK) {
            code = report_pictures(options, at->job->job_id,
                                   i + 1 < RENDER_STYLE_COUNT ? STATUS(RUNNING) : STATUS(COMPLETED), PROGRESS[i],
                                   &progress, reterr);
        }
    }
    return code;
}

static enum herald_code too_many_attempts(uint32_t attempts, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_JOB_FAILED,
                            "%u attempts have ended without a result: the worker died in them, or the job failed",
                            attempts);
}

TASK_FN static enum herald_code attempt(struct attempts *at, struct herald_error *reterr) {
    if (at->open.id[0] == '\0') { /* else one that could not be given back goes on */
        herald_uuid7(at->open.id);
    }
    at->counted[0] = '\0';
    enum herald_code code = report_attempt(at->options, at->job->job_id, at->open.id, &at->number, reterr);
    if (code == HERALD_OK) {
        memcpy(at->counted, at->open.id, sizeof(at->counted));
    }
    if (code == HERALD_OK && at->number > at->options->attempts) {
        return too_many_attempts(at->number - 1, reterr);
    }
    if (code == HERALD_OK) {
        code = failpoint_hit(FAILPOINT_CONTENT_AFTER_BEGIN, reterr);
    }
    return code == HERALD_OK ? make_all_pictures(at, reterr) : code;
}

/* Whether another attempt at the same job may succeed. */
static bool may_job_succeed(enum herald_code code) {
    return code != HERALD_NOT_FOUND && code != HERALD_INVALID_ARGUMENT && code != HERALD_FAILED_PRECONDITION &&
           code != HERALD_OUT_OF_RANGE && code != HERALD_ABORTED;
}

TASK_FN static enum herald_code give_up(const struct make_pictures_options *options, const char *job_id,
                                        const char *attempt_id, const struct herald_error *failure,
                                        struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    log_emit(&LOG_CONTENT_FAILED, log_str("job_id", job_id), log_error(failure), LOG_END);
    if (failure->code != HERALD_NOT_FOUND) {
        code = report_failure(options, job_id, attempt_id, failure, reterr);
    }
    enum herald_code end = call_check(reterr);
    if (code != HERALD_OK && end != HERALD_OK) {
        return end;
    }
    return herald_error_set(reterr, HERALD_REASON_JOB_FAILED, "%s", failure->message);
}

/* Whether the attempt failed through no fault of the job: every other job would fail too, and later none does. */
static bool is_passing(const struct herald_error *failure) {
    return herald_error_is(failure, HERALD_REASON_PICTURE_NOT_STORED) ||
           herald_error_is(failure, HERALD_REASON_NO_HANGUL_FONT);
}

TASK_FN void make_pictures_give_back(const struct make_pictures_options *options, const struct open_attempt *open) {
    const struct job_link link = link_of(options);
    (void)job_give_back(&link, open->job_id, open->id);
}

TASK_FN static void wait_for_the_store(struct attempts *at, const struct herald_error *failure) {
    log_emit(&LOG_CONTENT_WAITS, log_str("job_id", at->job->job_id), log_error(failure), LOG_END);
    content_health_report(at->options->health, CONTENT_PICTURES, failure);
    const struct job_link link = link_of(at->options);
    if (job_give_back(&link, at->open.job_id, at->open.id)) {
        at->open.id[0] = '\0';
    }
}

/* After a failed attempt. Returns: HERALD_OK: another one is due | how the job ends */
TASK_FN static enum herald_code judge_failure(struct attempts *at, const struct herald_error *failure,
                                              struct herald_error *reterr) {
    if (is_passing(failure)) {
        wait_for_the_store(at, failure);
        return HERALD_OK;
    }
    at->failed++;
    at->open.id[0] = '\0';
    if (at->failed >= at->options->attempts || at->number >= at->options->attempts || !may_job_succeed(failure->code)) {
        return give_up(at->options, at->job->job_id, at->counted, failure, reterr);
    }
    log_emit(&LOG_CONTENT_ATTEMPT_FAILED, log_str("job_id", at->job->job_id), log_u64("attempt", at->failed),
             log_error(failure), LOG_END);
    return HERALD_OK;
}

TASK_FN static enum herald_code attempts(struct attempts *at, struct herald_error *reterr) {
    struct herald_backoff backoff = CONTENT_BACKOFF;
    struct herald_error error;
    for (;;) {
        enum herald_code code = attempt(at, &error);
        if (code == HERALD_OK) {
            at->open.id[0] = '\0';
            log_emit(&LOG_CONTENT_COMPLETED, log_str("job_id", at->job->job_id), log_u64("attempts", at->failed + 1),
                     LOG_END);
            return HERALD_OK;
        }
        code = call_check(reterr);
        if (code == HERALD_OK) {
            code = judge_failure(at, &error, reterr);
        }
        if (code == HERALD_OK) {
            code = backoff_wait(&backoff, reterr);
        }
        if (code != HERALD_OK) {
            return code;
        }
    }
}

TASK_FN enum herald_code make_pictures(const struct make_pictures_options *options,
                                       const Herald__Job__V1__ImageJob *job, struct open_attempt *ret_open,
                                       struct herald_error *reterr) {
    const struct job_link link = link_of(options);
    struct attempts at = {.options = options, .job = job};
    struct job_state state = {.ended = false};
    struct herald_error error;
    *ret_open = at.open;
    enum herald_code code = job_ask(&link, job->job_id, &state, &error);
    if (code != HERALD_OK && call_check(reterr) != HERALD_OK) {
        return call_check(reterr);
    }
    if (code == HERALD_OK && state.ended) {
        log_emit(&LOG_CONTENT_FINISHED_BEFORE, log_str("job_id", job->job_id), LOG_END);
        /* The worker that gave it up may have died before the dead letter was written. */
        return state.failure ? herald_error_set(reterr, HERALD_REASON_JOB_FAILED, "%s", state.failure) : HERALD_OK;
    }
    if (code == HERALD_OK && state.attempts >= options->attempts) {
        code = too_many_attempts(state.attempts, &error);
    }
    if (code != HERALD_OK) {
        return give_up(options, job->job_id, "", &error, reterr);
    }
    if (state.attempts > 0 && options->stand_alone) {
        code = options->stand_alone(options->user, reterr);
    }
    if (code == HERALD_OK) {
        log_emit(&LOG_CONTENT_TAKEN, log_str("job_id", job->job_id), LOG_END);
        snprintf(at.open.job_id, sizeof(at.open.job_id), "%s", job->job_id);
        code = attempts(&at, reterr);
    }
    *ret_open = at.open;
    return code;
}
