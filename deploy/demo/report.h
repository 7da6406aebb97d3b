#ifndef HERALD_DEPLOY_DEMO_REPORT_H
#define HERALD_DEPLOY_DEMO_REPORT_H

#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/error.h"
#include "herald/job/v1/job.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/* What the demo prints: one line for each step with its time, and the tables at the end. */
struct report {
    int64_t started_us;
    int64_t step_us; /* when the step under way began */
    bool terminal;   /* lines may be overwritten */
};

void report_init(struct report *report);
void report_begin(struct report *report);
/** Ends the step: its time, its name and a remark. */
void report_step(struct report *report, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** The job as it stands; overwritten on a terminal, else nothing is printed before the step's end. */
void report_progress(struct report *report, const Herald__Job__V1__Job *job);
/** A failed step, on stderr: the code, the reason, the message and each detail. */
void report_failure(struct report *report, const char *name, const struct herald_error *error);
void report_channels(const Herald__Distribution__V1__ChannelResult *const *results, size_t count);
/**
 * Where the pictures are.
 *
 * @content_dir  folder of the content worker on this machine; NULL: only the URLs are printed
 * Returns: false when a file that should be in @content_dir is not there
 */
bool report_pictures(const Herald__Job__V1__Job *job, const char *content_dir);
void report_total(const struct report *report);

/** Korean name of a channel and of a style; "?" for one that is not known. Static. */
const char *channel_name(Herald__Distribution__V1__Channel channel);
const char *style_name(Herald__Job__V1__Style style);

#endif
