#ifndef HERALD_CTL_DOCTOR_H
#define HERALD_CTL_DOCTOR_H

#include "deploy/ctl/ctl.h"

#include <stdbool.h>

/** What a check found. */
struct finding {
    bool good;
    char message[600]; /* what is there, or what is wrong */
    char remedy[400];  /* how to mend it; empty when good */
};

/** Each fills the finding, within seconds, and changes nothing. */
typedef void doctor_check(const struct settings *settings, struct finding *ret_finding);

doctor_check doctor_postgres, doctor_redis, doctor_kafka;
doctor_check doctor_event_server, doctor_job_server, doctor_distribution_server;
doctor_check doctor_channels, doctor_content_folder, doctor_content_url, doctor_fonts;

void finding_good(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Says what is wrong; the remedy is set apart. */
void finding_wrong(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_remedy(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Connects by TCP and closes again. Returns: 0, or an error number; EAI_* failures are EHOSTUNREACH. */
int doctor_connect(const char *host, const char *port);

#endif
