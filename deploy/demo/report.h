#ifndef HERALD_DEPLOY_DEMO_REPORT_H
#define HERALD_DEPLOY_DEMO_REPORT_H

/* The output of the demo: one line for each step with its time, and the tables at the end. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/error.h"
#include "herald/job/v1/job.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct report {
    int64_t started_us;
    int64_t step_us; /* when the current step began */
    bool terminal;   /* lines may be overwritten */
};

void report_init(struct report *report);
void report_begin(struct report *report);
/** Ends the step and prints its time, its name and a remark. */
void report_step(struct report *report, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Shows the job's progress on a terminal, where the next line overwrites it. Elsewhere prints nothing. */
void report_progress(struct report *report, const Herald__Job__V1__Job *job);
/** Prints a failed step on stderr: the code, the reason, the message and each detail. */
void report_failure(struct report *report, const char *name, const struct herald_error *error);
/** Prints how each delivery went: its post, when Herald goes on by itself, or what a person does. */
void report_channels(const Herald__Distribution__V1__ChannelResult *const *results, size_t count);
/**
 * Prints where the pictures are.
 *
 * @content_dir  folder of the content worker on this machine; NULL: only the URLs are printed
 * Returns: false: a file is missing in @content_dir
 */
bool report_pictures(const Herald__Job__V1__Job *job, const char *content_dir);
/** Says how long it took, whose event it is, and where the console shows it. @http_url  of a gateway; NULL: not known */
void report_total(const struct report *report, const char *user_id, const char *event_id, const char *http_url);

/** Korean name of a channel, or of a style; "?" for an unknown one. Static. */
const char *channel_name(Herald__Distribution__V1__Channel channel);
const char *style_name(Herald__Job__V1__Style style);

#endif
