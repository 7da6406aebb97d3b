#ifndef HERALD_CTL_REPORT_H
#define HERALD_CTL_REPORT_H

#include "deploy/ctl/arguments.h"
#include "deploy/ctl/ctl.h"
#include "herald/client.h"
#include "herald/error.h"

#include <stdio.h>

/*
 * How errors are told.
 *
 *     heraldctl: EventService/PublishEvent: FAILED_PRECONDITION (NOT_PUBLISH_READY): the draft is not complete
 *       objective: REQUIRED: choose an objective with SelectObjective
 *       try again in 500 ms
 */

/** Prints an error; @what  what was tried. With CTL_JSON one line {"error":{"code":…}}. */
void report_error(FILE *out, enum ctl_format format, const char *what, const struct herald_error *error);
/** The same for a call that has ended, with what is known of its effect. */
void report_reply(FILE *out, enum ctl_format format, const char *what, const struct herald_reply *reply);
/**
 * Exit status of a call that ended so. A call that was refused here for what the command line, the settings or the
 * request say is CTL_USAGE: no repeat of it ends otherwise.
 */
enum ctl_exit report_status(const struct herald_reply *reply);
/** Of the statuses of two calls the one to exit with: what must be mended first, then what may have happened. */
int report_worse(int status, int other);

#endif
