#include "tests/integration/store/fixture.h"

#include "tests/support/loopback.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL_MS     120000
#define PATIENCE_MS 60000
#define LOOK_MS     5

const char *need_env(const char *name) {
    const char *value = getenv(name);
    if (!value || !value[0]) {
        fail_msg("%s is not set: run this test with tests/support/with-services -- ctest …", name);
    }
    return value;
}

void run_body(task_body_fn *body, void *arg) {
    if (loop_current()) {
        fail_msg("not run: a test before it has failed, and left its loop running");
    }
    struct loop *loop = NULL;
    struct call call;
    assert_int_equal(loop_new(0, &loop, NULL), HERALD_OK);
    call_init(&call, "test", NULL, CALL_MS, 16u << 20);
    assert_int_equal(task_spawn(loop, &call, "test", body, arg, NULL), HERALD_OK);
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
    call_fini(&call);
}

TASK_FN bool eventually(bool (*condition)(void *arg), void *arg) {
    uint64_t until_us = clock_now_us() + PATIENCE_MS * UINT64_C(1000);
    while (!condition(arg)) {
        if (clock_now_us() > until_us || task_sleep(LOOK_MS, NULL) != HERALD_OK) {
            return condition(arg);
        }
    }
    return true;
}

void health_init(struct health *health) {
    memset(health, 0, sizeof(*health));
    pthread_mutex_init(&health->lock, NULL);
}

void health_note(void *user, const struct herald_error *error) {
    struct health *health = user;
    pthread_mutex_lock(&health->lock);
    health->serving = !error;
    if (error) {
        health->downs++;
        herald_error_copy(&health->last, error);
    } else {
        health->ups++;
    }
    pthread_mutex_unlock(&health->lock);
}

bool health_is_up(void *user) {
    struct health *health = user;
    pthread_mutex_lock(&health->lock);
    bool up = health->ups > 0 && health->serving;
    pthread_mutex_unlock(&health->lock);
    return up;
}

bool health_is_down(void *user) {
    struct health *health = user;
    pthread_mutex_lock(&health->lock);
    bool down = health->downs > 0 && !health->serving;
    pthread_mutex_unlock(&health->lock);
    return down;
}

struct herald_error health_last(struct health *health) {
    pthread_mutex_lock(&health->lock);
    struct herald_error last = health->last;
    pthread_mutex_unlock(&health->lock);
    return last;
}

void own_redis_init(struct own_redis *redis) {
    memset(redis, 0, sizeof(*redis));
    redis->port = loopback_port();
    snprintf(redis->url, sizeof(redis->url), "redis://%s:%u/0", loopback_address(), redis->port);
}

void own_redis_start(struct own_redis *redis, const char *password) {
    own_redis_run(redis, (const char *const[]){"--requirepass", password ? password : "", NULL});
}

#define ARGUMENTS_MOST 64

/* Starts redis-server with two lists of arguments. */
static void run_redis(struct own_redis *redis, const char *const *first, const char *const *more) {
    const char *arguments[ARGUMENTS_MOST + 1] = {"redis-server"};
    size_t count = 1;
    for (; *first; first++) {
        arguments[count++] = *first;
    }
    for (; *more && count < ARGUMENTS_MOST; more++) {
        arguments[count++] = *more;
    }
    assert_int_equal(redis->pid, 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp("redis-server", (char **)arguments);
        _exit(127);
    }
    redis->pid = pid;
}

void own_redis_run(struct own_redis *redis, const char *const *arguments) {
    char port[8];
    snprintf(port, sizeof(port), "%u", redis->port);
    const char *const first[] = {"--port", port,   "--bind", loopback_address(), "--save", "", "--appendonly", "no",
                                 "--dir",  "/tmp", NULL};
    run_redis(redis, first, arguments);
}

void own_redis_run_file(struct own_redis *redis, const char *file, const char *const *arguments) {
    char port[8];
    snprintf(port, sizeof(port), "%u", redis->port);
    const char *const first[] = {file, "--port", port, "--bind", loopback_address(), NULL};
    run_redis(redis, first, arguments);
}

void own_redis_signal(struct own_redis *redis, int number) {
    if (!redis->pid) {
        return;
    }
    assert_int_equal(kill(redis->pid, number), 0);
    if (number == SIGKILL) {
        int status = 0;
        assert_int_equal(waitpid(redis->pid, &status, 0), redis->pid);
        if (WIFEXITED(status)) {
            fail_msg("redis-server had ended by itself with exit code %d (is it installed?)", WEXITSTATUS(status));
        }
        redis->pid = 0;
    }
}

struct expected {
    struct health *health;
    const char *text;
};

static bool health_names(void *arg) {
    const struct expected *expected = arg;
    struct herald_error last = health_last(expected->health);
    return health_is_down(expected->health) && strstr(last.message, expected->text);
}

TASK_FN void health_assert_names(struct health *health, const char *text) {
    struct expected expected = {health, text};
    if (!eventually(health_names, &expected)) {
        fail_msg("health does not name '%s'; it says: %s", text, health_last(health).message);
    }
}
