/* Random sequences of operations, each to the breaker and to the model. A failure names the seed, which makes it again. */
#include "tests/unit/breaker/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEQUENCES  4000
#define OPERATIONS 250

/* ---- random numbers ---- */

struct dice {
    uint64_t state;
};

/* splitmix64 */
static uint64_t throw_dice(struct dice *dice) {
    uint64_t z = dice->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint32_t below(struct dice *dice, uint32_t limit) {
    return (uint32_t)(throw_dice(dice) % limit);
}

#define ONE_OF(dice, ...)                                                                                              \
    (((const uint32_t[]){__VA_ARGS__})[below(dice, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))])

static struct breaker_rules random_rules(struct dice *dice, bool strict) {
    struct breaker_rules rules = {
        .window_calls = ONE_OF(dice, 1, 2, 3, 5, 8, 20),
        .failure_rate_percent = (float)ONE_OF(dice, 20, 50, 60, 100),
        .slow_rate_percent = (float)ONE_OF(dice, 25, 50, 75, 100),
        .slow_call_ms = ONE_OF(dice, 1, 10, 30),
        .open_wait_ms = ONE_OF(dice, 1, 10, 50),
        .half_open_calls = ONE_OF(dice, 1, 2, 3, 5),
        .half_open_max_wait_ms = ONE_OF(dice, 0, 0, 5, 25, 60),
        .strict = strict,
    };
    rules.minimum_calls = 1 + below(dice, strict ? 10 : rules.window_calls);
    return rules;
}

/* ---- the two sides ---- */

struct sides {
    struct dice dice;
    uint64_t seed;
    unsigned operation;
    uint64_t now_ms;
    struct breaker_core *core;
    struct breaker_events events; /* of the core */
    struct model model;
    struct breaker_permit permits[MODEL_CALLS_MAX]; /* by the model's call */
    int in_flight[MODEL_CALLS_MAX];
    unsigned in_flight_count;
    unsigned failing; /* percent of the results */
};

#define assert_same(sides, core_value, model_value)                                                                    \
    do {                                                                                                               \
        if ((core_value) != (model_value)) {                                                                           \
            fail_msg("%s is %g, by the model %g: seed %llu, strict %d, operation %u", #core_value,                     \
                     (double)(core_value), (double)(model_value), (unsigned long long)(sides)->seed,                   \
                     (sides)->model.rules.strict, (sides)->operation);                                                 \
        }                                                                                                              \
    } while (0)

static void compare_events(const struct sides *sides) {
    const struct breaker_events *core = &sides->events, *model = &sides->model.events;
    assert_same(sides, core->count, model->count);
    for (unsigned i = 0; i < core->count; i++) {
        assert_same(sides, core->each[i].kind, model->each[i].kind);
        assert_same(sides, core->each[i].from, model->each[i].from);
        assert_same(sides, core->each[i].to, model->each[i].to);
    }
}

static void compare_metrics(const struct sides *sides) {
    struct breaker_metrics core, model;
    breaker_core_metrics(sides->core, &core);
    model_metrics(&sides->model, &model);
    assert_same(sides, core.state, model.state);
    assert_same(sides, core.failure_rate, model.failure_rate);
    assert_same(sides, core.slow_rate, model.slow_rate);
    assert_same(sides, core.buffered_calls, model.buffered_calls);
    assert_same(sides, core.failed_calls, model.failed_calls);
    assert_same(sides, core.slow_calls, model.slow_calls);
    assert_same(sides, core.not_permitted_calls, model.not_permitted_calls);
    assert_same(sides, core.permits_left, model.permits_left);
    if (!sides->model.rules.strict) {
        assert_true(core.permits_left <= sides->model.rules.half_open_calls);
    }
}

static uint64_t now_us(const struct sides *sides) {
    return sides->now_ms * 1000;
}

static void random_admit(struct sides *sides) {
    struct breaker_permit permit;
    int call = model_admit(&sides->model, sides->now_ms);
    bool permitted = breaker_core_admit(sides->core, now_us(sides), &permit, &sides->events);
    assert_same(sides, permitted, call >= 0);
    if (permitted) {
        sides->permits[call] = permit;
        sides->in_flight[sides->in_flight_count++] = call;
    }
}

/* Any call ends, not only the oldest. Without one in flight strict mode records all the same. */
static void random_end(struct sides *sides) {
    enum breaker_outcome outcome = below(&sides->dice, 8) == 0                 ? BREAKER_IGNORED
                                   : below(&sides->dice, 100) < sides->failing ? BREAKER_FAILURE
                                                                               : BREAKER_SUCCESS;
    int call = -1;
    if (sides->in_flight_count > 0) {
        unsigned at = below(&sides->dice, sides->in_flight_count);
        call = sides->in_flight[at];
        sides->in_flight[at] = sides->in_flight[--sides->in_flight_count];
    } else if (!sides->model.rules.strict) {
        return;
    }
    uint64_t duration_ms = call >= 0 ? sides->now_ms - sides->model.calls[call].started_ms : below(&sides->dice, 60);
    bool fits = model_record(&sides->model, sides->now_ms, call, outcome, duration_ms);
    assert_same(sides,
                breaker_core_record(sides->core, now_us(sides), call >= 0 ? &sides->permits[call] : NULL, outcome,
                                    duration_ms * 1000, &sides->events),
                fits);
}

static void random_order(struct sides *sides) {
    if (below(&sides->dice, 4) == 0) {
        model_reset(&sides->model, sides->now_ms);
        breaker_core_reset(sides->core, now_us(sides), &sides->events);
        return;
    }
    enum breaker_state state = (enum breaker_state)below(&sides->dice, 6);
    bool done = model_transition(&sides->model, sides->now_ms, state);
    assert_same(sides, breaker_core_transition(sides->core, now_us(sides), state, &sides->events), done);
}

static void random_operation(struct sides *sides) {
    uint32_t choice = below(&sides->dice, 100);
    sides->now_ms += ONE_OF(&sides->dice, 0, 0, 0, 1, 1, 2, 7, 11, 31, 51);
    sides->events.count = sides->model.events.count = 0;
    if (choice < 50) {
        random_admit(sides);
    } else if (choice < 92) {
        random_end(sides);
    } else if (choice < 96) {
        model_advance(&sides->model, sides->now_ms);
        breaker_core_advance(sides->core, now_us(sides), &sides->events);
    } else if (sides->seed % 3 != 0) {
        random_order(sides);
    }
}

static void compare_sequence(uint64_t seed, bool strict) {
    static struct sides sides;
    memset(&sides, 0, sizeof(sides));
    sides.seed = seed;
    sides.dice.state = seed * 2 + strict;
    struct breaker_rules rules = random_rules(&sides.dice, strict);
    sides.failing = below(&sides.dice, 101);
    assert_int_equal(breaker_core_new("model", &rules, &sides.core, NULL), HERALD_OK);
    model_start(&sides.model, &rules);
    for (sides.operation = 1; sides.operation <= OPERATIONS; sides.operation++) {
        random_operation(&sides);
        compare_events(&sides);
        compare_metrics(&sides);
    }
    breaker_core_free(sides.core);
}

static void test_model_random_sequences_are_the_same(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
        compare_sequence(seed, false);
    }
}

static void test_model_random_sequences_are_the_same_strict(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
        compare_sequence(seed, true);
    }
}

/* ---- who looks when ---- */

/* Advances a breaker to a time in random steps, and collects the events. */
static void look_often(struct breaker_core *core, struct dice *dice, uint64_t from_us, uint64_t to_us,
                       struct breaker_events *all) {
    struct breaker_events events;
    for (uint64_t at_us = from_us; at_us < to_us;) {
        at_us += 1 + below(dice, 9000);
        breaker_core_advance(core, at_us < to_us ? at_us : to_us, &events);
        for (unsigned i = 0; i < events.count; i++) {
            all->each[all->count++] = events.each[i];
        }
    }
}

static bool same_metrics(const struct breaker_core *a, const struct breaker_core *b) {
    struct breaker_metrics of_a, of_b;
    breaker_core_metrics(a, &of_a);
    breaker_core_metrics(b, &of_b);
    return of_a.state == of_b.state && of_a.failure_rate == of_b.failure_rate && of_a.slow_rate == of_b.slow_rate &&
           of_a.buffered_calls == of_b.buffered_calls && of_a.failed_calls == of_b.failed_calls &&
           of_a.slow_calls == of_b.slow_calls && of_a.not_permitted_calls == of_b.not_permitted_calls &&
           of_a.permits_left == of_b.permits_left;
}

static bool same_events(const struct breaker_events *a, const struct breaker_events *b) {
    bool same = a->count == b->count;
    for (unsigned i = 0; i < a->count && same; i++) {
        same = a->each[i].kind == b->each[i].kind && a->each[i].from == b->each[i].from &&
               a->each[i].to == b->each[i].to && a->each[i].failure_rate == b->each[i].failure_rate &&
               a->each[i].slow_rate == b->each[i].slow_rate;
    }
    return same;
}

/* One operation on both, after a time that one of them saw in a single step and the other in many. */
struct twins {
    struct dice dice;
    struct breaker_core *cores[2];
    struct breaker_permit permits[2][OPERATIONS];
    unsigned calls, ended;
    uint64_t now_us;
};

static void twins_pass(struct twins *twins, struct breaker_events *ret_once, struct breaker_events *ret_often) {
    uint64_t next_us = twins->now_us + ONE_OF(&twins->dice, 0, 1, 1000, 10001, 60001);
    ret_often->count = 0;
    look_often(twins->cores[1], &twins->dice, twins->now_us, next_us, ret_often);
    breaker_core_advance(twins->cores[0], next_us, ret_once);
    twins->now_us = next_us;
}

static void twins_operate(struct twins *twins) {
    struct breaker_events events;
    enum breaker_outcome outcome = (enum breaker_outcome)below(&twins->dice, 3);
    bool ends = twins->ended < twins->calls && below(&twins->dice, 2) == 0, permitted = false;
    for (unsigned twin = 0; twin < 2; twin++) {
        struct breaker_permit *permit = &twins->permits[twin][ends ? twins->ended : twins->calls];
        if (ends) {
            breaker_core_record(twins->cores[twin], twins->now_us, permit, outcome, twins->now_us - permit->started_us,
                                &events);
        } else {
            permitted = breaker_core_admit(twins->cores[twin], twins->now_us, permit, &events);
        }
    }
    twins->ended += ends;
    twins->calls += permitted;
}

static void compare_twins(uint64_t seed) {
    static struct twins twins;
    memset(&twins, 0, sizeof(twins));
    twins.dice.state = seed;
    struct breaker_rules rules = random_rules(&twins.dice, false);
    assert_int_equal(breaker_core_new("once", &rules, &twins.cores[0], NULL), HERALD_OK);
    assert_int_equal(breaker_core_new("often", &rules, &twins.cores[1], NULL), HERALD_OK);
    for (unsigned operation = 1; operation <= OPERATIONS; operation++) {
        struct breaker_events once, often;
        twins_pass(&twins, &once, &often);
        twins_operate(&twins);
        if (!same_events(&once, &often) || !same_metrics(twins.cores[0], twins.cores[1])) {
            fail_msg("looking changes the breaker: seed %llu, operation %u", (unsigned long long)seed, operation);
        }
    }
    breaker_core_free(twins.cores[0]);
    breaker_core_free(twins.cores[1]);
}

static void test_model_looking_changes_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
        compare_twins(seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_random_sequences_are_the_same),
        cmocka_unit_test(test_model_random_sequences_are_the_same_strict),
        cmocka_unit_test(test_model_looking_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
