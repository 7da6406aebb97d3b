/* Rows of event_drafts, and what the statements db/queries/event_*.sql do to them. */
#include "herald/uuid.h"
#include "tests/simulation/sim_sql.h"

#include <stdio.h>
#include <string.h>

#define JOB_ID "018f0000-0000-7000-8000-000000000001"
#define ZONE   "Asia/Seoul" /* the one that there is */

static const char *const status_names[] = {
    [EVENT_DRAFT] = "DRAFT", [EVENT_APPROVED] = "APPROVED", [EVENT_ACTIVE] = "ACTIVE", [EVENT_ENDED] = "ENDED"};

void sim_make_draft(size_t event) {
    struct sim_event *row = &sim.database.events[event];
    (void)snprintf(row->owner, sizeof(row->owner), "owner%zu", event % 10);
    row->status = EVENT_DRAFT;
    row->updated_at_us = sim_true_wall_us();
}

/* The event of $1; NULL: there is none. */
static struct sim_event *event_of(const struct sim_statement *statement) {
    const char *id = sim_text(statement, 1);
    for (size_t i = 0; i < sim.event_count; i++) {
        if (strcmp(sim.event_ids[i], id) == 0) {
            return &sim.database.events[i];
        }
    }
    return NULL;
}

/* The event of $1, if it is of the user of $2. */
static struct sim_event *event_of_user(const struct sim_statement *statement) {
    struct sim_event *event = event_of(statement);
    return event && strcmp(event->owner, sim_text(statement, 2)) == 0 ? event : NULL;
}

/* The event of $1 in state APPROVED. */
static struct sim_event *approved_event(const struct sim_statement *statement) {
    struct sim_event *event = event_of(statement);
    return event && event->status == EVENT_APPROVED ? event : NULL;
}

static size_t number_of(const struct sim_event *event) {
    return (size_t)(event - sim.database.events);
}

void sim_clock(struct sim_statement *statement) {
    sim_add_row(statement);
    sim_put_time(statement, DB_CLOCK__NOW, sim_true_wall_us());
}

/* The database of the simulation loses nothing that was committed. */
void sim_commit_late(struct sim_statement *statement) {
    sim_add_row(statement);
    sim_put_text(statement, DB_COMMIT_LATE__SETTING, "off");
}

/* ---- reading ---- */

static void put_event(struct sim_statement *statement, const struct sim_event *event) {
    const char *id = sim.event_ids[number_of(event)];
    sim_add_row(statement);
    sim_put_text(statement, DB_EVENT_DRAFT__ID, id);
    sim_put_text(statement, DB_EVENT_DRAFT__USER_ID, event->owner);
    sim_put_text(statement, DB_EVENT_DRAFT__STATUS, status_names[event->status]);
    sim_put_text(statement, DB_EVENT_DRAFT__TITLE, "Title");
    sim_put_text(statement, DB_EVENT_DRAFT__OBJECTIVE, "NEW_CUSTOMERS");
    sim_put_text(statement, DB_EVENT_DRAFT__RECOMMENDATION_ID, "r");
    sim_put_text(statement, DB_EVENT_DRAFT__CONTENT_JOB_ID, JOB_ID);
    sim_put_text(statement, DB_EVENT_DRAFT__CHANNELS, event->channels);
    sim_put_text(statement, DB_EVENT_DRAFT__TIME_ZONE, event->time_zone);
    sim_put_time(statement, DB_EVENT_DRAFT__UPDATED_AT, event->updated_at_us);
    sim_put_time(statement, DB_EVENT_DRAFT__APPROVED_AT, event->approved_at_us);
    sim_put_time(statement, DB_EVENT_DRAFT__PUBLISHED_AT, event->published_at_us);
    sim_put_time(statement, DB_EVENT_DRAFT__SCHEDULED_AT, event->scheduled_at_us);
    sim_put_number(statement, DB_EVENT_DRAFT__RECONCILE_ATTEMPTS, event->reconcile_attempts);
    sim_put_bytes(statement, DB_EVENT_DRAFT__RESULTS, event->results, event->results_bytes);
}

void sim_event_load(struct sim_statement *statement) {
    const struct sim_event *event = event_of_user(statement);
    if (event) {
        put_event(statement, event);
    }
}

void sim_event_due(struct sim_statement *statement) {
    int64_t most = sim_number(statement, 1);
    size_t first = sim_between(0, sim.event_count - 1); /* in the order of chance */
    for (size_t i = 0; i < sim.event_count && most > 0; i++) {
        size_t at = (first + i) % sim.event_count;
        const struct sim_event *event = &sim.database.events[at];
        if (event->attend_at_us != 0 && event->attend_at_us <= sim_true_wall_us()) {
            sim_add_row(statement);
            sim_put_text(statement, DB_EVENT_DUE__ID, sim.event_ids[at]);
            most--;
        }
    }
}

/* ---- publishing ---- */

/* The text of an array, {a,b}, as a list with commas. */
static void copy_array(char *to, size_t bytes, const char *array) {
    size_t length = strlen(array);
    (void)snprintf(to, bytes, "%.*s", (int)(length - 2), array + 1);
}

void sim_event_approve(struct sim_statement *statement) {
    struct sim_event *event = event_of_user(statement);
    const char *zone = sim_text(statement, 8);
    bool zone_known = zone[0] == '\0' || strcmp(zone, ZONE) == 0;
    bool changed = event && event->status == EVENT_DRAFT && zone_known;
    if (changed && !sim_may_write_key(statement, 20)) {
        statement->conflict = true;
        return;
    }
    if (changed) {
        event->status = EVENT_APPROVED;
        event->approved_at_us = sim_time(statement, 4);
        event->updated_at_us = sim_true_wall_us();
        copy_array(event->channels, sizeof(event->channels), sim_text(statement, 3));
        SIM_PUT(event->holder, sim_text(statement, 5));
        event->attend_at_us = sim_time(statement, 6);
        event->scheduled_at_us = sim_time(statement, 7);
        SIM_PUT(event->time_zone, zone);
        event->reconcile_attempts = 0;
        SIM_PUT(event->approved_by, call_current() ? call_current()->id : "");
        sim_insert_promise(statement, 9);
        (void)sim_write_key(statement, 20, 0);
        sim_say("%s is APPROVED", sim.event_ids[number_of(event)]);
    }
    sim_add_row(statement);
    sim_put_number(statement, DB_EVENT_APPROVE__CHANGED, changed);
    sim_put_number(statement, DB_EVENT_APPROVE__FOUND, event != NULL);
    sim_put_number(statement, DB_EVENT_APPROVE__ZONE_KNOWN, zone_known);
}

void sim_event_activate(struct sim_statement *statement) {
    struct sim_event *event = event_of_user(statement);
    bool changed = event && event->status == EVENT_APPROVED, stored = false;
    if (changed) {
        size_t bytes;
        const uint8_t *results = sim_bytes(statement, 3, &bytes);
        sim_check_activation(number_of(event), results, bytes);
        event->status = EVENT_ACTIVE;
        event->published_at_us = event->updated_at_us = sim_true_wall_us();
        event->activated_us = sim.now_us;
        sim_copy_bytes(&event->results, &event->results_bytes, results, bytes);
        event->holder[0] = '\0';
        event->attend_at_us = 0;
        sim_insert_promise(statement, 4);
        stored = sim_text(statement, 17) && sim_write_key(statement, 15, 19); /* unless the key is taken */
        sim_say("%s is ACTIVE", sim.event_ids[number_of(event)]);
    }
    sim_add_row(statement);
    sim_put_number(statement, DB_EVENT_ACTIVATE__CHANGED, changed);
    sim_put_number(statement, DB_EVENT_ACTIVATE__STORED, stored);
}

/* ---- claims ---- */

void sim_event_take(struct sim_statement *statement) {
    struct sim_event *event = approved_event(statement);
    if (event && event->attend_at_us != 0 && event->attend_at_us <= sim_true_wall_us()) {
        SIM_PUT(event->holder, sim_text(statement, 2));
        event->attend_at_us = 0;
        event->reconcile_attempts++;
        put_event(statement, event);
    }
}

void sim_event_claim(struct sim_statement *statement) {
    struct sim_event *event = approved_event(statement);
    bool changed = event && event->holder[0] == '\0';
    if (changed) {
        SIM_PUT(event->holder, sim_text(statement, 2));
        event->attend_at_us = 0;
    }
    sim_set_changed(statement, changed);
}

void sim_event_unclaim(struct sim_statement *statement) {
    struct sim_event *event = approved_event(statement);
    bool changed = event && strcmp(event->holder, sim_text(statement, 2)) == 0;
    if (changed) {
        event->holder[0] = '\0';
        event->attend_at_us =
            sim_text(statement, 3) ? sim_true_wall_us() + sim_number(statement, 3) * INT64_C(1000) : 0;
    }
    sim_set_changed(statement, changed);
}

void sim_event_make_due(struct sim_statement *statement) {
    struct sim_event *event = event_of_user(statement);
    bool changed = event && event->status == EVENT_APPROVED && event->holder[0] == '\0';
    if (changed) {
        event->attend_at_us = sim_true_wall_us();
    }
    sim_set_changed(statement, changed);
}

/* No event of the simulation has a period. */
void sim_event_end_due(struct sim_statement *statement) {
    sim_set_changed(statement, 0);
}

unsigned sim_release_events(void) {
    unsigned released = 0;
    for (size_t i = 0; i < sim.event_count; i++) {
        struct sim_event *event = &sim.database.events[i];
        if (event->holder[0] != '\0' && !sim_has_lease(event->holder)) {
            event->holder[0] = '\0';
            event->attend_at_us = sim_true_wall_us();
            released++;
        }
    }
    return released;
}
