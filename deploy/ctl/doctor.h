#ifndef HERALD_CTL_DOCTOR_H
#define HERALD_CTL_DOCTOR_H

#include "deploy/ctl/ctl.h"

#include <stdbool.h>

/** The result of a check. */
struct finding {
    bool good;
    char message[600]; /* the state found, or the problem */
    char remedy[400];  /* how to fix the problem; empty when good */
};

/** A check. It fills the finding within seconds and changes nothing else. */
typedef void doctor_check(const struct settings *settings, struct finding *ret_finding);

doctor_check doctor_postgres, doctor_redis, doctor_kafka;
doctor_check doctor_event_server, doctor_job_server, doctor_distribution_server;
doctor_check doctor_channels, doctor_content_folder, doctor_content_url, doctor_fonts;

void finding_good(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Sets the problem. finding_remedy() sets the remedy. */
void finding_wrong(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_remedy(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Connects by TCP and closes again. Returns: 0, or an error number; EAI_* failures are EHOSTUNREACH. */
int doctor_connect(const char *host, const char *port);

#endif
