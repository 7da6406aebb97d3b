#include "server/event/late_steps.h"

#include "herald/event/v1/event_created.schema.h"
#include "herald/utf8.h"
#include "herald/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MOST 4096
#define WRITTEN_MOST 256 /* by one statement */

static bool make_room_for_step(struct late_steps *late) {
    if (late->count < late->capacity) {
        return true;
    }
    size_t capacity = late->capacity ? 2 * late->capacity : 64;
    struct late_step *waiting =
        capacity <= WAITING_MOST ? realloc(late->waiting, capacity * sizeof(*late->waiting)) : NULL;
    if (waiting) {
        late->waiting = waiting;
        late->capacity = capacity;
    }
    return waiting != NULL;
}

void late_steps_note(struct late_steps *late, const char *event_id, const char *step, int64_t at_us,
                     const struct herald_error *error) {
    if (!late->outbox || !herald_uuid_valid(event_id, strlen(event_id)) || !make_room_for_step(late)) {
        return;
    }
    struct late_step *noted = &late->waiting[late->count++];
    int64_t now_us = instance_now_us(late->instance);
    *noted = (struct late_step){.step = step, .at_us = at_us ? at_us : now_us, .ended_at_us = now_us, .reason = ""};
    (void)snprintf(noted->event_id, sizeof(noted->event_id), "%s", event_id);
    if (error) {
        noted->reason = herald_reason_name(herald_reason_find(error->reason));
        size_t bytes = herald_utf8_cut(error->message, strlen(error->message), sizeof(noted->message) - 1);
        if (herald_utf8_valid(error->message, bytes, NULL)) { /* Postgres takes no other */
            memcpy(noted->message, error->message, bytes);
        }
    }
    outbox_relay_expect(late->outbox, 1);
}

/* ---- as a rider of the relay ---- */

static bool add_late(void *self, struct db_batch *batch) {
    struct late_steps *late = self;
    size_t count = late->count < WRITTEN_MOST ? late->count : WRITTEN_MOST;
    bool added = count > 0 && step_store_add(batch, late->waiting, count, instance_id(late->instance));
    late->on_way = added ? count : 0;
    return added;
}

/* Whether the statement may be made again: it was not made, or nobody knows. A step that is written twice is shown once. */
static bool is_worth_repeating(enum herald_code code) {
    return code == HERALD_UNAVAILABLE || code == HERALD_OUTCOME_UNKNOWN || code == HERALD_DEADLINE_EXCEEDED ||
           code == HERALD_CANCELLED || code == HERALD_RESOURCE_EXHAUSTED || code == HERALD_ABORTED;
}

static void end_late(void *self, enum herald_code code) {
    struct late_steps *late = self;
    size_t done = is_worth_repeating(code) ? 0 : late->on_way;
    late->on_way = 0;
    late->count -= done;
    if (late->count > 0) {
        memmove(late->waiting, late->waiting + done, late->count * sizeof(*late->waiting));
    }
    outbox_relay_expect(late->outbox, -(ptrdiff_t)done);
}

/* A row of the outbox was sent: EventCreated; or a second cache deletion, whose value is the event's id. */
static void note_sent_row(void *self, const struct outbox_row *row) {
    struct late_steps *late = self;
    if (row->kind == OUTBOX_KAFKA && strcmp(row->ce_type, herald_event_v1_event_created_schema.full_name) == 0) {
        late_steps_note(late, row->key, EVENT_STEP_CREATED_SENT, 0, NULL);
    } else if (row->kind == OUTBOX_CACHE_DELETE && row->value_bytes == 36) {
        char event_id[37] = "";
        memcpy(event_id, row->value, 36);
        late_steps_note(late, event_id, EVENT_STEP_CACHE_AGAIN, 0, NULL);
    }
}

void late_steps_init(struct late_steps *late, struct instance *instance, struct outbox_relay *outbox) {
    *late = (struct late_steps){
        .instance = instance,
        .outbox = outbox,
        .rider = {.self = late, .add = add_late, .end = end_late, .sent = note_sent_row},
    };
    outbox_relay_carry(outbox, &late->rider);
}

void late_steps_fini(struct late_steps *late) {
    if (late->outbox) {
        outbox_relay_expect(late->outbox, -(ptrdiff_t)late->count);
        outbox_relay_carry(late->outbox, NULL);
    }
    free(late->waiting);
    *late = (struct late_steps){0};
}
