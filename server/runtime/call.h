#ifndef HERALD_RUNTIME_CALL_H
#define HERALD_RUNTIME_CALL_H

/*
 * The context of one call, or of one piece of background work: deadline, cancellation, identity, memory. Every wait of
 * a task reads it. The code that spawned the task owns it; it is used on the loop's thread only.
 */
#include "herald/error.h"
#include "server/runtime/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct task;
struct call {
    struct arena arena;
    uint64_t deadline_us;      /* on clock_now_us(); 0: none */
    enum herald_code end_code; /* HERALD_OK while it may go on; otherwise the code with which every wait ends */
    char id[37];               /* call id, for logs and downstream calls */
    char traceparent[56];      /* may be empty */
    char idempotency_key[129]; /* may be empty */
    char caller[65];           /* of the credential; empty: not known */
    char user[65];             /* of the credential; empty: none */
    char tenant[65];           /* on whose behalf it works, for fair shares; empty: see call_tenant() */
    bool waits_on_purpose;     /* its request sets the wait, so its latency says nothing about the server's load */
    bool has_effect;           /* a failure from now on may leave something behind: call_note_effect() */
    uint64_t downstream_us;    /* spent in calls to other servers so far */
    const char *method;        /* full name; static, or in the arena */
    void *owner;               /* the object that holds the context, for the code that made it; NULL: none */
    struct task *tasks;        /* private to the runtime: the tasks that run with this context */
};

/** Prepares a context in place. @id  NULL: a new UUIDv7. @timeout_ms  0: no deadline. @arena_cap_bytes  0: default. */
void call_init(struct call *call, const char *method, const char *id, uint32_t timeout_ms, size_t arena_cap_bytes);
/** Frees its memory; no other task may use it any more. A task may end its own context, and then runs on without
 *  one. */
void call_fini(struct call *call);

/** On whose behalf it works: the tenant, else the user of the credential; empty for Herald's own work. */
const char *call_tenant(const struct call *call);
/** The running task's context; NULL outside a task or for a task without one. */
struct call *call_current(void);
/** The running task's arena; outside a task with a context it is a programming error (assert). */
struct arena *call_arena(void);
/** Time left until the running call's deadline, milliseconds, rounded up; UINT32_MAX without one, 0 when it has
 *  passed. */
uint32_t call_remaining_ms(void);
/** Checks whether the running call may go on. Returns: HERALD_OK | HERALD_DEADLINE_EXCEEDED (reason
 *  "DEADLINE_EXCEEDED") | the code with which it was cancelled: HERALD_CANCELLED, HERALD_UNAVAILABLE (reason
 *  "CANCELLED") */
enum herald_code call_check(struct herald_error *reterr);

/** call_check() for a given context. @call  NULL: HERALD_OK. Returns: as call_check() */
enum herald_code call_check_of(const struct call *call, struct herald_error *reterr);

/**
 * Notes that the running call has changed something, here or at another server, or may have. If it fails later by
 * want of something (memory, time, a store), its reply says that nobody knows what was done. Nothing happens outside a
 * task with a context.
 */
void call_note_effect(void);

/** Microseconds of the monotonic clock. */
uint64_t clock_now_us(void);
/**
 * Microseconds since 1970-01-01 UTC, by the clock of this machine, which may be set. Times that go into a row come from
 * the database instead: now() in its statements, or once_now_us().
 */
int64_t clock_wall_us(void);
/** Lets the failpoints clock.wall and clock.ahead shift the wall clock, also that of UUIDs. Nothing happens where there
 *  are no failpoints. */
void clock_take_faults(void);

#endif
