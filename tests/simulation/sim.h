#ifndef HERALD_TESTS_SIMULATION_SIM_H
#define HERALD_TESTS_SIMULATION_SIM_H

/*
 * A simulated world around herald-distribution's real handlers, engine and breaker: clock, random numbers, database and
 * channels come from here. All of it follows from one seed, so that a run that fails can be repeated exactly.
 *
 *   sim_clock.c     time and random numbers; the loop runs until nothing is ready, then time jumps to the next timer
 *   sim_database.c  what the statements of db/queries do, and how they can end
 *   sim_process.c   processes that start, freeze, lose their lease and die; their leases
 *   sim_channels.c  the adapters, and the channels behind them
 *   sim_plan.c      what a seed makes happen: events, callers, faults
 *   sim_check.c     what must hold
 */
#include "server/distribution/distribution_service.h"
#include "server/durable/instance.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_EVENTS    6
#define SIM_PROCESSES 2
#define SIM_LIVES     32 /* of all processes, one after the other */
#define SIM_CALLS     64

/* ---- processes ---- */

struct instance {
    char id[37];
    struct sim_life *life;
    uint64_t sure_until_us; /* as the process knows it */
    int64_t made_at_us;     /* of its row, as last told */
    uint64_t era;
};

struct db {
    struct sim_life *life;
};

/** A process from its start to its end. After that its tasks run out, and nothing that they do has an effect. */
struct sim_life {
    unsigned number;
    bool dead;
    bool stopped;
    uint64_t frozen_until_us;
    struct db db;
    struct instance instance;
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
    char id[37], event_id[37];
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
    const struct sim_life *session; /* of the process that renewed it; it ends with the process */
    int64_t made_at_us, sure_until_us, alive_until_us;
};

struct sim_control {
    int pause;
    char note[128];
    int64_t probe_at_us;
    unsigned probes;
};

struct sim_database {
    uint64_t down_until_us;
    unsigned loss_percent; /* of answers */
    struct sim_distribution distributions[SIM_EVENTS];
    struct sim_lease leases[SIM_LIVES];
    size_t lease_count;
    struct sim_control controls[CHANNEL_COUNT];
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
    unsigned callers; /* that have not ended */
    size_t event_count;
    char event_ids[SIM_EVENTS][37];
    struct sim_database database;
    struct sim_channel channels[CHANNEL_COUNT];
    struct sim_life *lives[SIM_LIVES];
    size_t life_count;
    struct sim_life *processes[SIM_PROCESSES]; /* the present lives; NULL: it does not run */
    struct call *calls[SIM_CALLS];             /* of callers, under way, each at calls_of */
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
struct sim_life *sim_start_process(size_t place);
/** kill -9. */
void sim_kill_process(size_t place);
/** Ends what a life still has; when the run is over. */
void sim_stop_life(struct sim_life *life);
void sim_free_life(struct sim_life *life);

/* sim_channels.c */
/** What a channel knows of an event's post. */
struct sim_post *sim_post_of(const char *event_id, int channel);

/* sim_database.c */
struct sim_distribution *sim_distribution_of(const char *event_id);
struct sim_delivery *sim_delivery_of(struct sim_distribution *distribution, int channel);
void sim_free_database(void);
/** Deletes the leases of the dead, and releases what they held. Returns: whether there were any */
bool sim_bury(void);
/** Renews the row, or makes it. Returns: when it was made. */
int64_t sim_renew_lease(const struct sim_life *life, uint32_t sure_ms, uint32_t lease_ms);

/* sim_plan.c */
/** Starts everything that the seed makes happen. */
bool sim_start_plan(void);

/* sim_check.c */
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

size_t sim_event_index(const char *event_id);

#endif
