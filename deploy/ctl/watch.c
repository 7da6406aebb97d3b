#include "deploy/ctl/ctl.h"
#include "deploy/ctl/watch_job.h"
#include "deploy/ctl/watch_publish.h"

#include <stdio.h>
#include <string.h>

int ctl_watch(struct ctl *ctl) {
    const struct ctl_arguments *arguments = ctl->arguments;
    const char *kind = arguments->operands[0];
    if (strcmp(kind, "job") == 0 && arguments->operand_count == 2) {
        return watch_job(ctl, arguments->operands[1]);
    }
    if (strcmp(kind, "publish") == 0 && arguments->operand_count == 3) {
        return watch_publish(ctl, arguments->operands[1], arguments->operands[2]);
    }
    fputs("heraldctl: watch needs job JOB_ID or publish EVENT_ID USER_ID; see heraldctl watch --help\n", stderr);
    return CTL_USAGE;
}
