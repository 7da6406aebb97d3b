#ifndef HERALD_CTL_REPORT_H
#define HERALD_CTL_REPORT_H

/*
 * Prints errors:
 *
 *     heraldctl: EventService/PublishEvent: FAILED_PRECONDITION (NOT_PUBLISH_READY): the draft is not complete
 *       objective: REQUIRED: choose an objective with SelectObjective
 *       try again in 500 ms
 */
#include "deploy/ctl/arguments.h"
#include "deploy/ctl/ctl.h"
#include "herald/client.h"
#include "herald/error.h"

#include <stdio.h>

/** Prints an error; @what  what was tried. With CTL_JSON one line {"error":{"code":…}}. */
void report_error(FILE *out, enum ctl_format format, const char *what, const struct herald_error *error);
/** As report_error(), for a call that has ended; adds its outcome. */
void report_reply(FILE *out, enum ctl_format format, const char *what, const struct herald_reply *reply);
/**
 * The exit status of a call's end. A call that was refused here because of the command line, the settings or the
 * request is CTL_USAGE: retrying will not help.
 */
enum ctl_exit report_status(const struct herald_reply *reply);
/** The worse of two exit statuses: first the one that must be fixed, then the one that may have been executed. */
int report_worse(int status, int other);

#endif
