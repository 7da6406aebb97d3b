/*
 * Time. The linker gives the program these functions instead of the real ones (--wrap): the clocks, libuv's timers and
 * uv_run(). The scheduler, its heap of timers and the tasks are the real ones.
 */
#include "server/runtime/loop_private.h"
#include "tests/simulation/sim.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIMERS_MAX 8
#define FIRST_US   UINT64_C(1000000000)
#define EPOCH_US   INT64_C(1750000000000000) /* the wall clock when a run begins */
#define TURNS_MAX  100000                    /* of the loop, without anything to do: it is stuck */

struct fake_timer {
    uv_timer_t *timer;
    uv_timer_cb callback;
    uint64_t at_us, repeat_us;
};

static struct fake_timer timers[TIMERS_MAX];
static size_t timer_count;

int __real_uv_run(uv_loop_t *uv, uv_run_mode mode);
int __wrap_uv_run(uv_loop_t *uv, uv_run_mode mode);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t timeout_ms, uint64_t repeat_ms);
int __wrap_uv_timer_stop(uv_timer_t *timer);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);
uint64_t __wrap_herald_random(void);
void __wrap_herald_random_bytes(unsigned char *ret_bytes, size_t bytes);
void __wrap_herald_uuid7(char ret_uuid[37]);

/* ---- random numbers: splitmix64 ---- */

uint64_t sim_random(void) {
    uint64_t z = (sim.random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_between(uint64_t low, uint64_t high) {
    return low + sim_random() % (high - low + 1);
}

bool sim_chance(unsigned percent) {
    return sim_random() % 100 < percent;
}

uint64_t __wrap_herald_random(void) {
    return sim_random();
}

void __wrap_herald_random_bytes(unsigned char *ret_bytes, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        ret_bytes[i] = (unsigned char)sim_random();
    }
}

/* The real one remembers the last UUID of its process: a seed that is run alone would have others. */
void __wrap_herald_uuid7(char ret_uuid[37]) {
    uint64_t at_ms = (uint64_t)sim_true_wall_us() / 1000;
    uint64_t high = sim_random(), low = sim_random();
    (void)snprintf(ret_uuid, 37, "%08x-%04x-7%03x-%04x-%04x%08x", (unsigned)(at_ms >> 16), (unsigned)(at_ms & 0xffff),
                   (unsigned)(high & 0xfff), (unsigned)(0x8000 | (high >> 12 & 0x3fff)), (unsigned)(high >> 48),
                   (unsigned)low);
}

/* ---- clocks ---- */

int64_t sim_true_wall_us(void) {
    return EPOCH_US + (int64_t)sim.now_us;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now) {
    int64_t now_us = clock == CLOCK_REALTIME ? sim_true_wall_us() + sim.wall_skew_us : (int64_t)sim.now_us;
    *ret_now = (struct timespec){.tv_sec = (time_t)(now_us / 1000000), .tv_nsec = (long)(now_us % 1000000) * 1000};
    return 0;
}

/* ---- timers ---- */

int __wrap_uv_timer_stop(uv_timer_t *timer) {
    for (size_t i = 0; i < timer_count; i++) {
        if (timers[i].timer == timer) {
            timers[i] = timers[--timer_count];
            break;
        }
    }
    return 0;
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t timeout_ms, uint64_t repeat_ms) {
    (void)__wrap_uv_timer_stop(timer);
    if (timer_count == TIMERS_MAX) {
        sim_fail("the simulation has no room for another timer");
        return UV_ENOMEM;
    }
    timers[timer_count++] = (struct fake_timer){
        .timer = timer,
        .callback = callback,
        .at_us = sim.now_us + timeout_ms * 1000,
        .repeat_us = repeat_ms * 1000,
    };
    return 0;
}

void sim_clock_reset(uint64_t seed) {
    timer_count = 0;
    sim.random_state = seed;
    sim.now_us = FIRST_US;
}

/* Goes to the next timer. Returns: false: there is none. */
static bool jump(void) {
    size_t first = 0;
    for (size_t i = 1; i < timer_count; i++) {
        first = timers[i].at_us < timers[first].at_us ? i : first;
    }
    if (timer_count == 0) {
        return false;
    }
    struct fake_timer due = timers[first];
    sim.now_us = due.at_us > sim.now_us ? due.at_us : sim.now_us;
    (void)__wrap_uv_timer_stop(due.timer);
    if (due.repeat_us > 0) {
        (void)__wrap_uv_timer_start(due.timer, due.callback, due.repeat_us / 1000, due.repeat_us / 1000);
    }
    due.callback(due.timer);
    return true;
}

int __wrap_uv_run(uv_loop_t *uv, uv_run_mode mode) {
    unsigned turns = 0; /* since time went on */
    if (mode != UV_RUN_DEFAULT) {
        return __real_uv_run(uv, mode);
    }
    while (__real_uv_run(uv, UV_RUN_NOWAIT) != 0) {
        bool is_ready = sim.loop->ready_head != NULL || atomic_load(&sim.loop->posted) != NULL;
        turns = !is_ready && jump() ? 0 : turns + 1;
        if (turns == TURNS_MAX) {
            sim_give_up(is_ready ? "tasks run for ever, and no time passes" : "tasks wait for ever");
        }
    }
    return 0;
}

TASK_FN void sim_wait_us(uint64_t us) {
    task_suspend("the simulation", sim.now_us + us + 1, false);
}

TASK_FN void sim_wait_thaw(const struct sim_life *life) {
    while (!life->dead && life->frozen_until_us > sim.now_us) {
        task_suspend("a thaw", life->frozen_until_us, false);
    }
}
