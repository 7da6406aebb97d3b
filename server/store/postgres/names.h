#ifndef HERALD_POSTGRES_NAMES_H
#define HERALD_POSTGRES_NAMES_H

#include <stddef.h>

/* The names under which the database stores the numbers of the schemas' enums, so that psql shows them. */
struct db_names {
    const char *const *names; /* by number; number 0 has none */
    int count;
};

extern const struct db_names db_event_statuses;  /* herald.event.v1.EventStatus */
extern const struct db_names db_objectives;      /* herald.event.v1.Objective */
extern const struct db_names db_job_statuses;    /* herald.job.v1.JobStatus */
extern const struct db_names db_styles;          /* herald.job.v1.Style */
extern const struct db_names db_channels;        /* herald.distribution.v1.Channel */
extern const struct db_names db_delivery_states; /* herald.distribution.v1.DeliveryState */
extern const struct db_names db_outbox_kinds;    /* enum outbox_kind */

/** Name of a number; NULL for 0 and for a number that has none. */
const char *db_name_of(const struct db_names *names, int number);
/** Number of a name, which need not end with NUL; 0 for an unknown one. */
int db_number_of(const struct db_names *names, const char *name, size_t bytes);

#endif
