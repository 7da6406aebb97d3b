#ifndef HERALD_TESTS_SIMULATION_SIM_H
#define HERALD_TESTS_SIMULATION_SIM_H

/*
 * A simulated world around the real handlers, flows, engine, leases, outbox and breakers of herald-event and
 * herald-distribution: clock, random numbers, network, database, Kafka, Redis and channels come from here. All of it follows
 * from one seed, so that a run that fails can be repeated exactly.
 *
 *   sim_clock.c          time and random numbers; the loop runs until nothing is ready, then time jumps to the next timer
 *   sim_database.c       what the stores of herald-distribution do to its rows
 *   sim_outcome.c        how a statement can end
 *   sim_sql.c            db_run(): which statement does what; parameters and results
 *   sim_events.c, sim_keys.c, sim_outbox.c, sim_leases.c   what the statements of db/queries do to their rows
 *   sim_network.c        calls from herald-event to herald-distribution
 *   sim_brokers.c        Kafka and Redis
 *   sim_process.c        processes that start, freeze and die
 *   sim_channels.c       the adapters, and the channels behind them
 *   sim_calls.c          one call at one process
 *   sim_plan.c           what a seed makes happen: events, faults; callers of Distribute
 *   sim_publish.c        callers of PublishEvent
 *   sim_check.c          what must hold for deliveries; sim_publish_check.c for events
 */
#include "herald/event/v1/event.pb-c.h"
#include "server/distribution/distribution_service.h"
#include "server/durable/instance.h"
#include "server/event/event_service.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_EVENTS    6
#define SIM_PROCESSES 2  /* of each service */
#define SIM_LIVES     40 /* of all processes, one after the other */
#define SIM_CALLS     256
#define SIM_OWNER     8 /* bytes of a user's name */

/* ---- processes ---- */

/* What a process has open: each thing knows whose it is. */
struct db {
    struct sim_life *life;
};
struct kafka_producer {
    struct sim_life *life;
    bool away; /* the last record was not acknowledged */
    uint64_t may_wait_us;
};
struct redis {
    struct sim_life *life;
};
struct herald_channel { /* to herald-distribution */
    struct sim_life *life;
};

enum sim_service { SIM_DISTRIBUTION, SIM_EVENT, SIM_SERVICES };

/** A process from its start to its end. After that its tasks run out, and nothing that they do has an effect. */
struct sim_life {
    enum sim_service kind;
    unsigned number;
    bool dead;
    bool stopped;
    uint64_t frozen_until_us;
    struct db db;
    struct kafka_producer kafka;
    struct redis redis;
    struct herald_channel channel;
    struct instance *instance;
    struct outbox_relay *outbox;
    struct event_service event; /* of herald-event; the rest is herald-distribution's */
    struct engine_process shared;
    struct distribution_service service;
    unsigned in_flight[CHANNEL_COUNT];    /* posts, as the channels see them */
    int64_t quiet_from_us[CHANNEL_COUNT]; /* the channel has asked for quiet, and the process has heard it; 0: never */
};

/* ---- channels ---- */

enum sim_mode {
    SIM_OK,
    SIM_SLOW,
    SIM_REFUSES,       /* 5xx: not accepted */
    SIM_THROTTLES,     /* 429 */
    SIM_UNREACHABLE,   /* nothing is sent */
    SIM_LOSES_ANSWER,  /* accepts, and the answer does not come */
    SIM_LOSES_REQUEST, /* does not accept, and no answer comes */
    SIM_REAUTH,
    SIM_MODE_COUNT
};

/** What a channel knows of one event's post. */
struct sim_post {
    unsigned accepted;
    bool refused_for_good, lost;     /* lost: no answer came of some attempt, or its sender died */
    unsigned container;              /* prepared; 0: none */
    uint64_t accepted_us, missed_us; /* accepted; last not found by a look-up; 0: never */
};

struct sim_channel {
    enum sim_mode mode;
    bool rejects[SIM_EVENTS];
    struct sim_post posts[SIM_EVENTS];
};

/* ---- the database ---- */

struct sim_delivery {
    bool exists;
    int channel, state;
    bool settled;
    char remote_id[32], step_id[32], post_url[64], reason[64], message[256];
    uint32_t attempts, failures;
    int64_t next_at_us, expires_at_us, started_at_us, finished_at_us; /* 0: none */
    char holder[37];                                                  /* empty: none */
    uint32_t attempts_written;
};

struct sim_distribution {
    bool exists;
    char id[37], event_id[37], owner[SIM_OWNER];
    uint8_t content[256];
    size_t content_bytes;
    size_t count;
    int channels[CHANNEL_COUNT];
    struct sim_delivery deliveries[CHANNEL_COUNT];
    uint32_t unsettled;
    uint64_t version;
    int64_t expires_at_us, completed_at_us, report_at_us;
    unsigned completed_records; /* of DistributionCompleted */
    char *completed_value;
};

/* A row of instances. */
struct sim_lease {
    char id[37];
    char service[16];
    const struct sim_life *session; /* of the process that renewed it; it ends with the process */
    int64_t made_at_us, sure_until_us, alive_until_us;
};

struct sim_control {
    int pause;
    char note[128];
    int64_t probe_at_us;
    unsigned probes;
};

/* A row of event_drafts. It is there from the start, ready to be published. */
struct sim_event {
    char owner[SIM_OWNER];
    enum event_status status;
    char channels[128]; /* names, with commas */
    char time_zone[32];
    int64_t approved_at_us, published_at_us, scheduled_at_us, attend_at_us, updated_at_us; /* 0: NULL */
    char holder[37];                                                                       /* empty: NULL */
    uint32_t reconcile_attempts;
    uint8_t *results;
    size_t results_bytes;
    char approved_by[37];  /* id of the call that approved it */
    uint64_t activated_us; /* when it became ACTIVE; 0: not yet */
};

/* A row of idempotency. */
struct sim_key {
    char caller[SIM_OWNER], key[40];
    uint8_t request_hash[32];
    bool answered;
    uint8_t *reply;
    size_t reply_bytes;
};

/* A row of the outbox. One that was deleted stays here, to be checked. */
struct sim_promise {
    char id[37], kind[16], owner[16], topic[64], key[64], type[64], source[32], content_type[32];
    int64_t time_us, next_try_us;
    uint8_t *value;
    size_t value_bytes;
    unsigned sent; /* how often Kafka got it, or Redis did it */
    bool deleted;
};

#define SIM_KEYS     64
#define SIM_PROMISES 256

struct sim_database {
    uint64_t down_until_us;
    unsigned loss_percent; /* of answers */
    struct sim_distribution distributions[SIM_EVENTS];
    struct sim_lease leases[SIM_LIVES];
    size_t lease_count;
    struct sim_control controls[CHANNEL_COUNT];
    struct sim_event events[SIM_EVENTS];
    struct sim_key keys[SIM_KEYS];
    size_t key_count;
    struct sim_promise promises[SIM_PROMISES];
    size_t promise_count;
};

/** Kafka, Redis and the network between the services. */
struct sim_brokers {
    uint64_t kafka_down_until_us, redis_down_until_us, network_down_until_us;
    unsigned loss_percent;                   /* of requests, and of replies */
    uint64_t purpose_deleted_us[SIM_EVENTS]; /* when the purpose of the event's owner was deleted last; 0: never */
};

/* ---- the world ---- */

struct sim {
    uint64_t seed;
    uint64_t random_state;
    uint64_t now_us;      /* monotonic */
    int64_t wall_skew_us; /* of the processes' wall clock; Postgres' is right */
    struct loop *loop;
    const struct settings *settings;
    bool trace;
    bool calm; /* no more faults */
    bool over;
    bool publishes;   /* the scenario: PublishEvent instead of Distribute */
    unsigned callers; /* that have not ended */
    size_t event_count;
    char event_ids[SIM_EVENTS][37];
    struct sim_database database;
    struct sim_brokers brokers;
    struct sim_channel channels[CHANNEL_COUNT];
    struct sim_life *lives[SIM_LIVES];
    size_t life_count;
    struct sim_life *processes[SIM_SERVICES][SIM_PROCESSES]; /* the present lives; NULL: it does not run */
    struct call *calls[SIM_CALLS];                           /* of callers, under way, each at calls_of */
    struct sim_life *calls_of[SIM_CALLS];
    char failure[512]; /* the first thing that does not hold; empty: none */
};
extern struct sim sim;

/** Says what does not hold; the first one counts. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The same, where the run cannot be ended in order: the program ends. */
void sim_give_up(const char *what) __attribute__((noreturn));
/** A line of the trace. */
void sim_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* sim_clock.c */
uint64_t sim_random(void);
/** A uniform number from @low to @high. */
uint64_t sim_between(uint64_t low, uint64_t high);
bool sim_chance(unsigned percent);
/** The wall clock that is right. */
int64_t sim_true_wall_us(void);
/** Forgets the timers of a loop that is gone. */
void sim_clock_reset(uint64_t seed);
/** Suspends the task; nothing ends the wait early. */
TASK_FN void sim_wait_us(uint64_t us);
/** Suspends the task while its process is frozen. */
TASK_FN void sim_wait_thaw(const struct sim_life *life);

/* sim_process.c */
struct sim_life *sim_start_process(enum sim_service kind, size_t place);
/** kill -9. */
void sim_kill_process(enum sim_service kind, size_t place);
/** Ends what a life still has; when the run is over. */
void sim_stop_life(struct sim_life *life);
void sim_free_life(struct sim_life *life);

/* sim_channels.c */
/** What a channel knows of an event's post. */
struct sim_post *sim_post_of(const char *event_id, int channel);

/* sim_outcome.c */
enum sim_fate {
    SIM_DONE,
    SIM_REFUSED, /* it was never done */
    SIM_LOST,    /* it is done, and its answer is lost */
};
/** Travels to the database. Returns: what becomes of the statement; but for REFUSED the caller does it now. */
TASK_FN enum sim_fate sim_reach(const struct db *db);
/** The answer travels back. @writes  whether the outcome of a lost statement is unknown */
TASK_FN enum herald_code sim_answer(const struct db *db, enum sim_fate fate, bool writes, struct herald_error *reterr);

/* sim_database.c */
struct sim_distribution *sim_distribution_of(const char *event_id);
struct sim_delivery *sim_delivery_of(struct sim_distribution *distribution, int channel);
void sim_free_database(void);
/** Releases deliveries whose holder has no lease. Returns: how many */
unsigned sim_release_deliveries(void);

/* sim_events.c */
/** Makes the draft of an event. */
void sim_make_draft(size_t event);
/** Releases events whose holder has no lease. Returns: how many */
unsigned sim_release_events(void);

/* sim_outbox.c */
/** A row of the outbox, in the transaction that runs. */
void sim_promise(const struct outbox_row *row);
/** The row with this id; NULL: none was ever stored. */
struct sim_promise *sim_promise_of(const char *id);
/** Makes the records due that a dead process may have been sending. */
void sim_hurry_promises(const char *owner);

/* sim_leases.c */
bool sim_has_lease(const char *id);

/* sim_calls.c */
/** One call at one process, as its task sees it. */
struct sim_call {
    struct sim_life *life;
    struct call call;
    void (*body)(struct sim_call *call); /* suspends the task */
    void *user;
    uint64_t began_us;
    enum herald_code code;
    struct completion ended;
};
/** Makes a call at a process, and waits for its end. @call  life, body and user are set. Returns: its code */
TASK_FN enum herald_code sim_call(struct sim_call *call, const char *method, uint32_t timeout_ms, const char *key);
/** A call that ends when its process dies. Until sim_unlist_call(). */
void sim_list_call(struct call *call, struct sim_life *life);
void sim_unlist_call(const struct call *call);
/** Ends the calls of a process that dies. */
void sim_end_calls(const struct sim_life *life);

/* sim_plan.c */
/** Starts everything that the seed makes happen. */
bool sim_start_plan(void);

/* sim_publish.c */
/** Starts the callers of PublishEvent. */
bool sim_start_publishers(void);

/* sim_check.c */
/** Checks the results that a caller is told. */
void sim_check_results(Herald__Distribution__V1__ChannelResult *const *results, size_t count, size_t event,
                       bool *ret_settled);
/** Checks a reply of Distribute. */
void sim_check_reply(const Herald__Distribution__V1__DistributeResponse *response, size_t event);
/** Checks a change of a delivery's state. */
void sim_check_transition(const struct sim_delivery *delivery, int to_state);
/** Whether nothing more is to happen. */
bool sim_is_settled(void);
/** Checks what must hold at the end. */
void sim_check_end(void);
/** Checks that a life which has ended by itself has given back what it took. */
void sim_check_places(const struct sim_life *life);

/* sim_publish_check.c */
/** Checks what is stored with ACTIVE. */
void sim_check_activation(size_t event, const uint8_t *results, size_t bytes);
/** Checks the end of a call of PublishEvent. */
void sim_check_publish(const struct sim_call *call, const Herald__Event__V1__PublishEventResponse *response,
                       size_t event, const struct herald_error *error);
/** Whether all approved events are finished, and all that was promised is sent. */
bool sim_is_published(void);
void sim_check_published(void);
void sim_free_replies(void);

size_t sim_event_index(const char *event_id);

#endif
