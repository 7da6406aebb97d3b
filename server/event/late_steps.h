#ifndef HERALD_EVENT_LATE_STEPS_H
#define HERALD_EVENT_LATE_STEPS_H

/*
 * Steps of publishes that end after the last statement that a call makes: an acknowledgement of Kafka, a cache deletion, the
 * reply. They wait in memory and are written by the outbox relay's next transaction, which is made anyway. A process that dies
 * before loses them; the timeline then still says what the rows tell: that a record is sent, without the time.
 */
#include "server/durable/instance.h"
#include "server/durable/outbox_relay.h"
#include "server/event/step_store.h"

struct late_steps {
    struct instance *instance;
    struct outbox_relay *outbox;
    struct late_step *waiting; /* oldest first */
    size_t count, capacity;
    size_t on_way; /* of these, in the transaction that runs now */
    struct outbox_rider rider;
};

/** Prepares in place, and lets the relay carry the steps. Loop's thread. */
void late_steps_init(struct late_steps *late, struct instance *instance, struct outbox_relay *outbox);
/** Takes them off the relay and frees them. A zeroed struct is allowed. Loop's thread. */
void late_steps_fini(struct late_steps *late);
/**
 * Notes a step that ends now. Without memory it is lost; so is the newest when thousands wait, as the database is away.
 *
 * @step    static
 * @at_us   when it began; 0: now
 * @error   why it failed; NULL: it succeeded
 * Context: the loop's thread
 */
void late_steps_note(struct late_steps *late, const char *event_id, const char *step, int64_t at_us,
                     const struct herald_error *error);

#endif
