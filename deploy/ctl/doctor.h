#ifndef HERALD_CTL_DOCTOR_H
#define HERALD_CTL_DOCTOR_H

#include "deploy/ctl/ctl.h"

#include <stdbool.h>

/** The result of a check. */
struct finding {
    bool good;
    bool warning;      /* Herald works, and somebody should look; good is set too */
    char message[600]; /* the state found, or the problem */
    char remedy[400];  /* how to fix the problem; empty when there is none */
};

/** A check. It fills the finding within seconds and changes nothing else. */
typedef void doctor_check(const struct settings *settings, struct finding *ret_finding);

doctor_check doctor_postgres, doctor_redis, doctor_kafka;
doctor_check doctor_event_server, doctor_job_server, doctor_distribution_server, doctor_content_server;
doctor_check doctor_channels, doctor_content_folder, doctor_content_url, doctor_fonts;

/** Shows a finding of a check with a name. */
typedef void doctor_show(void *user, const char *name, const struct finding *finding);
/** Asks herald-distribution how its channels stand, and shows a warning for each thing to look at. */
void doctor_channel_states(const struct settings *settings, doctor_show *show, void *user);

/** Asks the gateways how they stand. Returns: false: one that should be there does not serve */
bool doctor_gateways(const struct settings *settings, doctor_show *show, void *user);

void finding_good(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_warning(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Sets the problem. finding_remedy() sets the remedy. */
void finding_wrong(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_remedy(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Connects by TCP and closes again. Returns: 0, or an error number; EAI_* failures are EHOSTUNREACH. */
int doctor_connect(const char *host, const char *port);

#endif
