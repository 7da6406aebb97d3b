#ifndef HERALD_CTL_WATCH_H
#define HERALD_CTL_WATCH_H

#include "deploy/ctl/ctl.h"
#include "deploy/ctl/progress.h"
#include "herald/client.h"
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/event/v1/event.pb-c.h"
#include "herald/job/v1/job.pb-c.h"

#include <stdbool.h>

/* What both kinds of watch share: they only read, so that a call without an answer is simply made again. */
struct watch {
    struct ctl *ctl;
    struct progress progress;
    double failing_since_s; /* below 0: the last call was answered */
};

void watch_init(struct watch *watch, struct ctl *ctl);
/**
 * What to do after a call that failed: shows that the server is away and pauses, or reports the error.
 *
 * Returns: whether to go on; if not, *ret_status is the exit status
 */
bool watch_failed(struct watch *watch, const char *what, const struct herald_reply *reply, int *ret_status);
/** To be called after a call that was answered. */
void watch_answered(struct watch *watch);
/** Whether --timeout is over; says so. */
bool watch_over(struct watch *watch);
void watch_pause(unsigned milliseconds);

int watch_job(struct ctl *ctl, const char *job_id);
int watch_publish(struct ctl *ctl, const char *event_id, const char *user_id);

/** One line: "RUNNING   66 %  2 of 3 pictures". */
void watch_job_line(const Herald__Job__V1__Job *job, char *ret_line, size_t bytes);
/** One line: "APPROVED  2 of 6 accepted  INSTAGRAM COMMITTING, …"; @distribution  NULL: none yet. */
void watch_publish_line(const Herald__Event__V1__EventDraft *event,
                        const Herald__Distribution__V1__GetDistributionResponse *distribution, char *ret_line,
                        size_t bytes);

#endif
