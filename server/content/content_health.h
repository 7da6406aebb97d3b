#ifndef HERALD_CONTENT_CONTENT_HEALTH_H
#define HERALD_CONTENT_CONTENT_HEALTH_H

/* What the worker needs, as the components of its server's health. */

#include "herald/error.h"

#include <stddef.h>

#define CONTENT_KAFKA          "kafka"
#define CONTENT_DEAD_LETTERS   "dead letters"
#define CONTENT_JOBS           "job server"
#define CONTENT_PICTURES       "picture store"
#define CONTENT_PICTURE_SERVER "picture server"

/** To whom health is reported. */
struct content_health {
    void (*report)(void *user, const char *component, const struct herald_error *error); /* NULL error: it serves */
    void *user;
};

/** Reports a component. @health  NULL: nobody listens. @error  NULL: it serves. Any thread. */
static inline void content_health_report(const struct content_health *health, const char *component,
                                         const struct herald_error *error) {
    if (health != NULL && health->report != NULL) {
        health->report(health->user, component, error);
    }
}

#endif
