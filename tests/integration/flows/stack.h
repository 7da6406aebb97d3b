#ifndef HERALD_TESTS_STACK_H
#define HERALD_TESTS_STACK_H

#include "herald/client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * All programs of Herald as child processes, on ports, topics, a database and a folder of their own, beside the
 * services that tests/support/with-services has started. Every function fails the running test, with a reason, when it
 * cannot do what it says.
 */
enum stack_program {
    STACK_FAKES,
    STACK_JOB,
    STACK_DISTRIBUTION,
    STACK_EVENT,
    STACK_CONTENT,
    STACK_EVENT_2, /* more event servers beside the first, for tests that start them by stack_run() */
    STACK_EVENT_3,
    STACK_DISTRIBUTION_2, /* one more distribution server, likewise */
    STACK_CONTENT_2,      /* one more content worker, likewise */
    STACK_PROGRAMS
};

struct stack;

/** Starts one of each program and waits until all servers are SERVING. @settings  extra "NAME=value", NULL-terminated,
 * or NULL.
 */
struct stack *stack_start(const char *const *settings);
/** Ends everything with SIGTERM, asserts that each program ended with status 0, and removes database and folder. */
void stack_stop(struct stack *stack);

/* The usual fixture of a group of tests: one stack, `stack`, from start() to stop(). */
#define STACK_FIXTURE                                                                                                  \
    static struct stack *stack;                                                                                        \
    static int start(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        stack = stack_start(NULL);                                                                                     \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static int stop(void **state) {                                                                                    \
        (void)state;                                                                                                   \
        stack_stop(stack);                                                                                             \
        return 0;                                                                                                      \
    }

/** Sends a signal to a program and waits for its end. */
void stack_kill(struct stack *stack, enum stack_program program, int signal);
/** Waits until a program has ended by itself, whatever its status. */
void stack_await_end(struct stack *stack, enum stack_program program);
/** Sends a signal and does not wait. */
void stack_signal(struct stack *stack, enum stack_program program, int signal);
/** Starts a program again, with the same settings; does not wait for health. */
void stack_run(struct stack *stack, enum stack_program program);
/** Waits until a server is SERVING. */
void stack_wait_serving(struct stack *stack, enum stack_program program);
/** Waits until a server answers, whatever its health. */
void stack_wait_answering(struct stack *stack, enum stack_program program);
/** The folder of logs and pictures; environment of the programs as "NAME=value", NULL-terminated. */
const char *stack_folder(const struct stack *stack);
const char *stack_setting(const struct stack *stack, const char *name);
char *const *stack_environment(const struct stack *stack);
/** Sets "NAME=value" for programs that are run from now on. */
void stack_set(struct stack *stack, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** URL of a server. */
const char *stack_url(const struct stack *stack, enum stack_program program);
/** The channel to a server. */
struct herald_channel *stack_channel(struct stack *stack, enum stack_program program);

/** The end of a call: clear it with answer_clear(). */
struct answer {
    enum herald_code code;
    enum herald_outcome outcome;
    enum herald_repeat may_repeat;
    struct herald_error error;
    json_t *json;           /* the response; NULL unless OK */
    unsigned char *payload; /* its bytes */
    size_t payload_bytes;
};
void answer_clear(struct answer *answer);

/** Calls a method by JSON; @request is a printf format. The key is NULL for a minted one; timeout 0: the default. */
struct answer stack_call(struct stack *stack, const char *method, const char *request, ...)
    __attribute__((format(printf, 3, 4)));
struct answer stack_call_with(struct stack *stack, const struct herald_call_options *options, const char *method,
                              const char *request, ...) __attribute__((format(printf, 4, 5)));
/** The same, by the server of a program, which need not be the first that serves the method. */
struct answer stack_call_at(struct stack *stack, enum stack_program program, const char *method, const char *request,
                            ...) __attribute__((format(printf, 4, 5)));
/** stack_call(), and asserts that it is OK. */
struct answer stack_call_ok(struct stack *stack, const char *method, const char *request, ...)
    __attribute__((format(printf, 3, 4)));
/** A call under way by a client of its own, which can vanish. */
struct lone_call;
struct lone_call *lone_call_start(struct stack *stack, const struct herald_call_options *options, const char *method,
                                  const char *format, ...) __attribute__((format(printf, 4, 5)));
/** The call is cancelled by its client, which stays. */
void lone_call_cancel(struct lone_call *call);
/** The client's connection is closed, whatever became of the call. */
void lone_call_vanish(struct lone_call *call);
/** Member of an answer by path, "event.title", "results.0.state": a string, "" when it is not there. */
const char *answer_text(const struct answer *answer, const char *path);
const json_t *answer_at(const struct answer *answer, const char *path);

/** First cell of a statement's result, NULL when there is no row or it is NULL; free it with free(). */
char *stack_sql(struct stack *stack, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Asserts that the first cell is @expected. */
void stack_sql_is(struct stack *stack, const char *expected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Asserts that the first cell becomes @expected within a minute. */
void stack_sql_becomes(struct stack *stack, const char *expected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Tells a fake channel how to behave; @behaviour is its JSON. */
void stack_channel_behaves(struct stack *stack, const char *channel, const char *behaviour);
/** The lines of the fakes' log about an event, as an array of objects; json_decref() it. */
json_t *stack_posts(struct stack *stack, const char *event_id);
/** The records of a topic with a key, from its beginning: an array of {"value":…,"headers":{…}}; json_decref() it.
 *  Waits up to 30 s for at least @least of them. */
json_t *stack_records(struct stack *stack, const char *topic_setting, const char *key, size_t least);
/** Makes the content workers' group, while it has no members, skip all records that are on the topic of jobs now: they are
 *  lost. */
void stack_lose_jobs(struct stack *stack);
/** GET; asserts status 200; the body, free() it. */
char *stack_get(const char *url, size_t *ret_bytes);

/** Redis: the string value (free() it) or NULL; the TTL in seconds. */
char *stack_redis_get(struct stack *stack, const char *key);
long long stack_redis_ttl(struct stack *stack, const char *key);

/** Milliseconds of the monotonic clock. */
long long now_ms(void);
/** Gives up the processor for about 20 ms inside a loop that waits for a predicate; false when @deadline_ms has passed.
 */
bool wait_again(long long deadline_ms);

/** A user name that no other test uses. @ret_user  64 bytes. */
void fresh_user(char ret_user[64]);
/** A draft of @user with everything chosen but the channels; its id into @ret_id, 37 bytes. */
void make_ready_draft(struct stack *stack, const char *user, char ret_id[37]);
/** Only CreateEvent. */
void make_draft(struct stack *stack, const char *user, char ret_id[37]);

/* The channels that are webhooks: an event there is PUBLISHED by one post to each. */
#define WEBHOOK_CHANNELS "[\"WOORIDONGNE_TV\",\"RINGO_BIZ\",\"GENIE_TV\"]"
#define WEBHOOK_COUNT    3
#define EVENTS           "herald.event.v1.EventService/"
#define JOBS             "herald.job.v1.JobService/"
#define DISTRIBUTION     "herald.distribution.v1.DistributionService/"

#endif
