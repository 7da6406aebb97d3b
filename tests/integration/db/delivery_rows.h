#ifndef HERALD_TESTS_INTEGRATION_DB_DELIVERY_ROWS_H
#define HERALD_TESTS_INTEGRATION_DB_DELIVERY_ROWS_H

#include "herald/distribution/v1/distribution.pb-c.h"
#include "tests/integration/db/db_test.h"

/* Distributions and deliveries to test with. What is read lives in the running call's arena. */

#define STATE(name)    HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define REPORT_MS      60000 /* delay of reports: none is due within a test */
#define KEEP_TRYING_MS 86400000

enum { TV = 1, BIZ, GENIE, INSTAGRAM, NAVER, KAKAO };

/** Empties the tables that deliveries are in: the setup of each test. */
int clear_deliveries(void **state);

/** A delivery whose first attempt has begun, COMMITTING. */
struct delivery_plan plan_claimed(int channel);
/** A delivery that is due after @ms, DEFERRED since the channel is busy. */
struct delivery_plan plan_later(int channel, uint64_t ms);
/** The row of a new distribution that ends in a day. */
struct distribution_row new_distribution(const char *event_id);
/** Makes a distribution with its deliveries. Returns: its event */
TASK_FN const char *make_distribution(struct db_env *env, const struct delivery_plan *plans, size_t count,
                                      const char *holder);
/** Makes one of six channels that are claimed. */
TASK_FN const char *make_claimed(struct db_env *env, const char *holder);

TASK_FN struct distribution_row load_distribution(struct db_env *env, const char *event_id);
TASK_FN struct delivery_row load_delivery(struct db_env *env, const char *event_id, int channel);
/** A delivery's first attempt, ended in a state. */
struct delivery_row ended(int channel, int state, bool settled);
/** Stores one change. @record  may be NULL */
TASK_FN struct change_result finish(struct db_env *env, const char *holder, const struct delivery_change *change,
                                    const struct completed_record *record);
/** Settles a claimed delivery. */
TASK_FN void settle(struct db_env *env, const char *event_id, int channel, int state);
/** A record of DistributionCompleted. */
struct completed_record completed_record_for(const char *event_id);
/** Takes what is due of a channel. Returns: how many */
TASK_FN size_t take(struct db_env *env, const char *holder, int channel, uint32_t most, bool has_steps,
                    struct taken_delivery **ret_taken);

/** How many attempts have ended, of all deliveries. */
long attempts_told(void);
/** In how many ms the event's report is due; -1: never. */
long report_due_ms(const char *event_id);
/** Each distribution counts its open deliveries right, and what is open is held or due, never both. */
void assert_counters_right(void);

#endif
