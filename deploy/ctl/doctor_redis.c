/* The check of Redis of heraldctl doctor: it connects as the servers do, and tries all that they need. */
#include "deploy/ctl/doctor.h"
#include "server/programs/redis_needs.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"
#include "server/store/redis/redis.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 5000

struct redis_look {
    const struct settings *settings;
    const struct redis_needs *needs;
    const char *pattern; /* NULL: no subscription */
    struct completion ended;
    bool healthy, subscribed;
    struct herald_error error; /* OK: none */
};

static void end_if_known(struct redis_look *look) {
    if (look->error.code != HERALD_OK || (look->healthy && (!look->pattern || look->subscribed))) {
        completion_complete(&look->ended);
    }
}

static void on_look_health(void *user, const struct herald_error *error) {
    struct redis_look *look = user;
    look->healthy = error == NULL;
    if (error) {
        herald_error_copy(&look->error, error);
    } else {
        look->error.code = HERALD_OK;
    }
    end_if_known(look);
}

static void on_look_message(void *user, const char *channel, const char *message) {
    struct redis_look *look = user;
    (void)message;
    look->subscribed = look->subscribed || channel == NULL;
    end_if_known(look);
}

static void look_body(void *arg) {
    struct redis_look *look = arg;
    struct redis *redis = NULL;
    struct redis_options options = redis_settings_options(&look->settings->redis);
    options.needs = look->needs;
    options.on_health = on_look_health;
    options.user = look;
    completion_init(&look->ended);
    enum herald_code code = redis_open(loop_current(), &options, &redis, &look->error);
    if (code == HERALD_OK && look->pattern) {
        code = redis_psubscribe(redis, look->pattern, on_look_message, look, &look->error);
    }
    if (code == HERALD_OK && completion_wait_for(&look->ended, WAIT_MS, NULL) != HERALD_OK) {
        herald_error_set(&look->error, HERALD_REASON_REDIS_UNAVAILABLE, "Redis does not answer within %d s",
                         WAIT_MS / 1000);
    }
    redis_close(redis);
}

/* Looks once. Returns: whether all is well; look->error says what is not. */
static bool look_at_redis(struct redis_look *look) {
    struct loop *loop = NULL;
    struct call call;
    enum herald_code code = loop_new(0, &loop, &look->error);
    if (code != HERALD_OK) {
        return false;
    }
    call_init(&call, "doctor", NULL, 0, 0);
    code = task_spawn(loop, &call, "doctor", look_body, look, &look->error);
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
    call_fini(&call);
    return code == HERALD_OK && look->error.code == HERALD_OK;
}

void doctor_redis(const struct settings *settings, struct finding *ret_finding) {
    struct redis_look looks[] = {
        {.settings = settings, .needs = &event_redis_needs},
        {.settings = settings, .needs = &job_redis_needs, .pattern = JOB_REDIS_PATTERN},
    };
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        if (!look_at_redis(&looks[i])) {
            finding_wrong(ret_finding, "%s", looks[i].error.message);
            finding_remedy(ret_finding, "mend that, or set [redis] url (HERALD_REDIS_URL)");
            return;
        }
    }
    finding_good(ret_finding, "answers, and takes all commands that Herald uses");
}
