/* Processes, ports, database and folder of the programs under test. Calls and looks from outside: stack_look.c. */
#include "herald/rpc/v1/health.client.h"
#include "herald/uuid.h"
#include "stack_private.h"
#include "tests/support/loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define START_TIMEOUT_MS 60000
#define INSTAGRAM_TOKEN  "IGAA-test-token"
#define KAKAO_KEY        "kakao-test-key"
#define KAKAO_SECRET     "kakao-test-secret"
#define STOP_TIMEOUT_MS  40000

static const char *const program_names[STACK_PROGRAMS] = {
    [STACK_FAKES] = "herald-fakes",
    [STACK_JOB] = "herald-job",
    [STACK_DISTRIBUTION] = "herald-distribution",
    [STACK_EVENT] = "herald-event",
    [STACK_CONTENT] = "herald-content",
    [STACK_EVENT_2] = "herald-event",
    [STACK_EVENT_3] = "herald-event",
    [STACK_DISTRIBUTION_2] = "herald-distribution",
    [STACK_CONTENT_2] = "herald-content",
};
static const char *const log_names[STACK_PROGRAMS] = {
    [STACK_FAKES] = "herald-fakes",
    [STACK_JOB] = "herald-job",
    [STACK_DISTRIBUTION] = "herald-distribution",
    [STACK_EVENT] = "herald-event",
    [STACK_CONTENT] = "herald-content",
    [STACK_EVENT_2] = "herald-event-2",
    [STACK_EVENT_3] = "herald-event-3",
    [STACK_DISTRIBUTION_2] = "herald-distribution-2",
    [STACK_CONTENT_2] = "herald-content-2",
};
/* Where each server listens. */
static const char *const url_names[STACK_PROGRAMS] = {
    [STACK_JOB] = "HERALD_JOB_URL",
    [STACK_DISTRIBUTION] = "HERALD_DISTRIBUTION_URL",
    [STACK_EVENT] = "HERALD_EVENT_URL",
    [STACK_EVENT_2] = "HERALD_EVENT_URL",
    [STACK_EVENT_3] = "HERALD_EVENT_URL",
    [STACK_DISTRIBUTION_2] = "HERALD_DISTRIBUTION_URL",
    [STACK_CONTENT] = "HERALD_CONTENT_RPC_URL",
    [STACK_CONTENT_2] = "HERALD_CONTENT_RPC_URL",
};

/* Whether it is a server beside the first of its kind. */
static bool is_one_more(enum stack_program program) {
    return program > STACK_CONTENT;
}

long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool wait_again(long long deadline_ms) {
    const struct timespec pause = {.tv_nsec = 20000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    return now_ms() < deadline_ms;
}

static const char *need(const char *name) {
    const char *value = getenv(name);
    if (!value || !value[0]) {
        fail_msg("%s is not set: run this test by tests/run, or under tests/support/with-services", name);
    }
    return value;
}

void stack_set(struct stack *stack, const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&text, format, args) > 0);
    va_end(args);
    size_t name_length = (size_t)(strchr(text, '=') - text) + 1;
    size_t i = 0;
    while (stack->environment[i] && strncmp(stack->environment[i], text, name_length) != 0) {
        i++;
    }
    assert_true(i + 1 < STACK_ENVIRONMENT_MAX);
    free(stack->environment[i]);
    stack->environment[i] = text;
}

const char *stack_setting(const struct stack *stack, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; stack->environment[i]; i++) {
        if (strncmp(stack->environment[i], name, length) == 0 && stack->environment[i][length] == '=') {
            return stack->environment[i] + length + 1;
        }
    }
    fail_msg("the stack has no setting %s", name);
    return NULL;
}

char *const *stack_environment(const struct stack *stack) {
    return stack->environment;
}

const char *stack_folder(const struct stack *stack) {
    return stack->folder;
}

/* The services' connection string with another database. */
static void set_dsn(struct stack *stack, const char *dsn) {
    char text[1024] = "";
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);
    assert_non_null(options);
    for (PQconninfoOption *option = options; option->keyword; option++) {
        if (option->val && strcmp(option->keyword, "dbname") != 0) {
            size_t used = strlen(text);
            snprintf(text + used, sizeof(text) - used, "%s='%s' ", option->keyword, option->val);
        }
    }
    PQconninfoFree(options);
    stack_set(stack, "HERALD_PG_DSN=%sdbname='%s'", text, stack->database);
}

static void admin_sql(const char *format, const char *database) {
    PGconn *admin = PQconnectdb(need("HERALD_PG_DSN"));
    if (PQstatus(admin) != CONNECTION_OK) {
        fail_msg("Postgres: %s", PQerrorMessage(admin));
    }
    char sql[256];
    snprintf(sql, sizeof(sql), format, database);
    PGresult *result = PQexec(admin, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    }
    PQclear(result);
    PQfinish(admin);
}

/* The caller may choose what speaks SP in all servers. */
static bool is_callers_choice(const char *variable) {
    static const char ENGINE[] = "HERALD_RPC_ENGINE=";
    return strncmp(variable, ENGINE, sizeof(ENGINE) - 1) == 0;
}

/* Programs get the machine's environment without the caller's settings, and then the stack's own. */
static void inherit(struct stack *stack) {
    extern char **environ;
    for (char **variable = environ; *variable; variable++) {
        if (strncmp(*variable, "HERALD_", 7) != 0 || is_callers_choice(*variable)) {
            stack_set(stack, "%s", *variable);
        }
    }
}

/* Where one of the programs will listen. */
static void set_url(struct stack *stack, const char *name, const char *scheme) {
    char url[32];
    loopback_url(scheme, url);
    stack_set(stack, "%s=%s", name, url);
}

static void set_all(struct stack *stack, const char *const *settings) {
    inherit(stack);
    set_dsn(stack, need("HERALD_PG_DSN"));
    stack_set(stack, "HERALD_REDIS_URL=%s", need("HERALD_REDIS_URL"));
    stack_set(stack, "HERALD_KAFKA_BOOTSTRAP=%s", need("HERALD_KAFKA_BOOTSTRAP"));
    stack_set(stack, "HERALD_KAFKA_EVENT_TOPIC=event-%s", stack->id);
    stack_set(stack, "HERALD_KAFKA_DISTRIBUTION_TOPIC=distribution-%s", stack->id);
    stack_set(stack, "HERALD_KAFKA_IMAGE_JOB_TOPIC=image-job-%s", stack->id);
    stack_set(stack, "HERALD_KAFKA_DEAD_LETTER_TOPIC=dead-letter-%s", stack->id);
    stack_set(stack, "HERALD_KAFKA_GROUP=content-%s", stack->id);
    set_url(stack, "HERALD_EVENT_URL", "tcp");
    for (size_t i = STACK_CONTENT + 1; i < STACK_PROGRAMS; i++) {
        loopback_url("tcp", stack->more_urls[i]);
    }
    set_url(stack, "HERALD_JOB_URL", "tcp");
    set_url(stack, "HERALD_DISTRIBUTION_URL", "tcp");
    set_url(stack, "HERALD_CONTENT_URL", "http");
    set_url(stack, "HERALD_CONTENT_RPC_URL", "tcp");
    stack_set(stack, "HERALD_CONTENT_DIR=%s/pictures", stack->folder);
    snprintf(stack->fakes_address, sizeof(stack->fakes_address), "%s:%u", loopback_address(), loopback_port());
    stack_set(stack, "HERALD_CHANNELS_URL=http://%s", stack->fakes_address);
    stack_set(stack, "HERALD_CHANNELS_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    stack_set(stack, "HERALD_CHANNELS_TIMEOUT_MS=2000");
    stack_set(stack, "HERALD_CHANNELS_POLL_MS=100");
    stack_set(stack, "HERALD_INSTAGRAM_URL=http://%s/graph/v21.0", stack->fakes_address);
    stack_set(stack, "HERALD_INSTAGRAM_ACCOUNT=17841400000000001");
    stack_set(stack, "HERALD_INSTAGRAM_TOKEN=" INSTAGRAM_TOKEN);
    stack_set(stack, "HERALD_NAVER_BLOG_URL=http://%s/naver", stack->fakes_address);
    stack_set(stack, "HERALD_KAKAO_CHANNEL_URL=http://%s/kakao", stack->fakes_address);
    stack_set(stack, "HERALD_KAKAO_CHANNEL_SERVICE=ncp:kkobizmsg:kr:1234567:herald");
    stack_set(stack, "HERALD_KAKAO_CHANNEL_ACCESS_KEY=" KAKAO_KEY);
    stack_set(stack, "HERALD_KAKAO_CHANNEL_SECRET=" KAKAO_SECRET);
    stack_set(stack, "HERALD_KAKAO_CHANNEL_SENDER=@herald-shop");
    stack_set(stack, "HERALD_KAKAO_CHANNEL_QUIET_HOURS=false"); /* whatever the hour of the test */
    stack_set(stack, "HERALD_OUTBOX_POLL_MS=200");
    stack_set(stack, "HERALD_OUTBOX_LEASE_MS=2000");
    stack_set(stack, "HERALD_PUBLISH_RECONCILE_POLL_MS=200");
    stack_set(stack, "HERALD_BREAKER_OPEN_WAIT_MS=500");
    stack_set(stack, "HERALD_LOG_FORMAT=json");
    for (size_t i = 0; settings && settings[i]; i++) {
        stack_set(stack, "%s", settings[i]);
    }
}

const char *stack_url(const struct stack *stack, enum stack_program program) {
    return is_one_more(program) ? stack->more_urls[program] : stack_setting(stack, url_names[program]);
}

static void open_channel(struct stack *stack, enum stack_program program) {
    const struct herald_channel_options options = {.retry = {.max_attempts = 1}}; /* each answer is looked at */
    assert_int_equal(herald_channel_open(stack_url(stack, program), &options, &stack->channels[program], NULL),
                     HERALD_OK);
}

static void exec_program(struct stack *stack, enum stack_program program) {
    char path[4096], log[512];
    snprintf(path, sizeof(path), "%s/%s", stack->bin, program_names[program]);
    snprintf(log, sizeof(log), "%s/%s.log", stack->folder, log_names[program]);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) {
        _exit(127);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves nothing behind */
    if (is_one_more(program)) {
        stack_set(stack, "%s=%s", url_names[program], stack_url(stack, program)); /* in the child alone */
    }
    if (program == STACK_CONTENT_2) {
        set_url(stack, "HERALD_CONTENT_URL", "http"); /* likewise */
    }
    char *serve[] = {path, NULL};
    char *fakes[] = {path,    "--listen", stack->fakes_address, "--secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                     "--kst", "12:00",    "--instagram-quota",  "100000",   "--container-ms",
                     "50",    NULL};
    if (program == STACK_FAKES) { /* in the child alone */
        stack_set(stack, "HERALD_FAKES_INSTAGRAM_TOKEN=" INSTAGRAM_TOKEN);
        stack_set(stack, "HERALD_FAKES_KAKAO_ACCESS_KEY=" KAKAO_KEY);
        stack_set(stack, "HERALD_FAKES_KAKAO_SECRET=" KAKAO_SECRET);
    }
    execve(path, program == STACK_FAKES ? fakes : serve, stack->environment);
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

void stack_run(struct stack *stack, enum stack_program program) {
    assert_int_equal(stack->pids[program], 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        exec_program(stack, program);
    }
    stack->pids[program] = pid;
    if (is_one_more(program) && !stack->channels[program]) {
        open_channel(stack, program);
    }
}

void stack_print_log(const struct stack *stack, enum stack_program program) {
    char command[1024];
    snprintf(command, sizeof(command), "echo '--- %s'; tail -n 40 '%s/%s.log'", log_names[program], stack->folder,
             log_names[program]);
    if (system(command) != 0) {
        print_message("no log of %s\n", program_names[program]);
    }
}

static int wait_for_end(struct stack *stack, enum stack_program program) {
    int status = 0;
    long long deadline_ms = now_ms() + STOP_TIMEOUT_MS;
    while (waitpid(stack->pids[program], &status, WNOHANG) == 0) {
        if (!wait_again(deadline_ms)) {
            stack_print_log(stack, program);
            kill(stack->pids[program], SIGKILL);
            fail_msg("%s did not end within %d ms of its signal", program_names[program], STOP_TIMEOUT_MS);
        }
    }
    stack->pids[program] = 0;
    return status;
}

void stack_signal(struct stack *stack, enum stack_program program, int signal) {
    assert_true(stack->pids[program] > 0);
    kill(stack->pids[program], signal);
}

void stack_kill(struct stack *stack, enum stack_program program, int signal) {
    stack_signal(stack, program, signal);
    wait_for_end(stack, program);
}

void stack_await_end(struct stack *stack, enum stack_program program) {
    assert_true(stack->pids[program] > 0);
    wait_for_end(stack, program);
}

struct herald_channel *stack_channel(struct stack *stack, enum stack_program program) {
    return stack->channels[program];
}

/* Whether a server answers; its health into @ret_serving. */
static bool answers(struct stack *stack, enum stack_program program, bool *ret_serving) {
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    const Herald__Rpc__V1__HealthCheckResponse *response = NULL;
    struct herald_reply reply = {0};
    bool answered =
        herald_rpc_v1_health_check(stack->channels[program], &request, NULL, &reply, &response) == HERALD_OK;
    *ret_serving = answered && response->status == HERALD__RPC__V1__SERVING_STATUS__SERVING;
    herald_reply_clear(&reply);
    return answered;
}

static void wait_health(struct stack *stack, enum stack_program program, bool wanted) {
    long long deadline_ms = now_ms() + START_TIMEOUT_MS;
    bool serving = false;
    while (!answers(stack, program, &serving) || (wanted && !serving)) {
        if (waitpid(stack->pids[program], NULL, WNOHANG) != 0 || !wait_again(deadline_ms)) {
            stack_print_log(stack, program);
            fail_msg("%s is not %s", program_names[program], wanted ? "SERVING" : "answering");
        }
    }
}

void stack_wait_serving(struct stack *stack, enum stack_program program) {
    wait_health(stack, program, true);
}

void stack_wait_answering(struct stack *stack, enum stack_program program) {
    wait_health(stack, program, false);
}

static void migrate(struct stack *stack) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/heraldctl", stack->bin);
        execle(path, path, "migrate", (char *)NULL, stack->environment);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

struct stack *stack_start(const char *const *settings) {
    struct stack *stack = calloc(1, sizeof(*stack));
    assert_non_null(stack);
    char uuid[37];
    herald_uuid7(uuid);
    snprintf(stack->id, sizeof(stack->id), "%s", uuid + 24);
    snprintf(stack->database, sizeof(stack->database), "flows_%s", stack->id);
    snprintf(stack->folder, sizeof(stack->folder), "/tmp/herald-flows-%s", stack->id);
    snprintf(stack->bin, sizeof(stack->bin), "%s", need("HERALD_BIN"));
    char command[512];
    snprintf(command, sizeof(command), "mkdir -p '%s/pictures'", stack->folder);
    assert_int_equal(system(command), 0);
    set_all(stack, settings);
    admin_sql("CREATE DATABASE %s", stack->database);
    stack->pg = PQconnectdb(stack_setting(stack, "HERALD_PG_DSN"));
    assert_int_equal(PQstatus(stack->pg), CONNECTION_OK);
    migrate(stack);
    stack_make_topics(stack);
    for (int program = 0; program <= STACK_CONTENT; program++) {
        stack_run(stack, (enum stack_program)program);
    }
    open_channel(stack, STACK_CONTENT);
    for (int program = STACK_JOB; program <= STACK_EVENT; program++) {
        open_channel(stack, (enum stack_program)program);
        stack_wait_serving(stack, (enum stack_program)program);
    }
    return stack;
}

static void end_program(struct stack *stack, enum stack_program program) {
    if (stack->pids[program] == 0) {
        return;
    }
    stack_signal(stack, program, SIGTERM);
    int status = wait_for_end(stack, program);
    if (status != 0) {
        stack_print_log(stack, program);
        fail_msg("%s ended with wait status %d", program_names[program], status);
    }
}

void stack_stop(struct stack *stack) {
    for (int program = STACK_PROGRAMS; program-- > 0;) {
        end_program(stack, (enum stack_program)program);
        herald_channel_close(stack->channels[program]);
    }
    PQfinish(stack->pg);
    admin_sql("DROP DATABASE %s WITH (FORCE)", stack->database);
    char command[512];
    snprintf(command, sizeof(command), "rm -rf '%s'", stack->folder);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; stack->environment[i]; i++) {
        free(stack->environment[i]);
    }
    free(stack);
}
