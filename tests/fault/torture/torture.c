/*
 * Makes one call of a library fail in each request, each call in its turn, and then looks from outside whether Herald's
 * promises held. README.md says how; seam.c is the other half.
 */
#include "herald/uuid.h"
#include "tests/fault/torture/page.h"
#include "tests/integration/flows/stack_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PUBLISH         "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":" WEBHOOK_CHANNELS "}"
#define DRAFT           "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}"
#define CALL_TIMEOUT_MS 20000
#define SLOW_CALL_MS    10000 /* a call that lost a wake-up ends by its deadline */
#define SETTLE_MS       60000
#define BACKGROUND_MS   1000 /* how long work after the reply may take the failure */
#define NEW_DESCRIPTORS 24   /* connections that pools may have opened */
#define FINDINGS_MAX    64

enum path { PATH_PUBLISH, PATH_JOB, PATHS };
static const char *const path_names[PATHS] = {"publish", "job"};

static const struct {
    const char *name, *file;
    bool on[PATHS];
} victims[STACK_PROGRAMS] = {
    [STACK_EVENT] = {"event", "herald-event", {true, true}},
    [STACK_DISTRIBUTION] = {"distribution", "herald-distribution", {true, false}},
    [STACK_JOB] = {"job", "herald-job", {false, true}},
    [STACK_CONTENT] = {"content", "herald-content", {false, true}},
};
static const enum stack_program victim_order[] = {STACK_EVENT, STACK_DISTRIBUTION, STACK_JOB, STACK_CONTENT};
#define VICTIMS (sizeof(victim_order) / sizeof(victim_order[0]))

/* What the command line says. */
static struct {
    const char *victim, *path; /* NULL: all */
    enum torture_rule rule;
    uint32_t stride, phase;
    uint32_t most; /* requests of each victim on each path */
    bool verbose;
} options = {.rule = TORTURE_NEW_STACK, .stride = 1, .most = UINT32_MAX};

static struct stack *stack;
static char folder[] = "/tmp/herald-torture-XXXXXX";
static struct torture_page *pages[STACK_PROGRAMS];
static uint32_t found;   /* broken promises */
static uint32_t unknown; /* publishes with a delivery whose outcome nobody knows */

/* The request under way. */
static struct {
    enum path path;
    enum stack_program victim;
    uint64_t number;
    char user[64], draft_id[37], key[37], job_id[37];
} now;

/* ---- what is found ---- */

/* Where the failure of this request was, innermost frame first. */
static void print_failure(void) {
    const struct torture_page *page = pages[now.victim];
    if (!atomic_load(&page->described)) {
        printf("    no call had failed\n");
        return;
    }
    char command[2048];
    int used = snprintf(command, sizeof(command), "addr2line -fpse '%s/%s'", TORTURE_BIN, victims[now.victim].file);
    for (uint32_t i = 1; i < page->depth && i < 14; i++) { /* 0: the seam */
        used +=
            snprintf(command + used, sizeof(command) - (size_t)used, " 0x%llx", (unsigned long long)page->stack[i] - 1);
    }
    printf("    %s failed, called from\n", page->function);
    fflush(stdout);
    snprintf(command + used, sizeof(command) - (size_t)used, " | sed 's/^/      /'");
    if (system(command) != 0) {
        printf("      (addr2line failed)\n");
    }
}

__attribute__((format(printf, 1, 2))) static void finding(const char *format, ...) {
    found++;
    printf("  BROKEN %u: path %s, victim %s, request %llu, draft %s: ", found, path_names[now.path],
           victims[now.victim].name, (unsigned long long)now.number, now.draft_id);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    print_failure();
    fflush(stdout);
}

static bool sql_is(const char *expected, const char *format, const char *id) {
    char sql[1024];
    snprintf(sql, sizeof(sql), format, id);
    char *cell = stack_sql(stack, "%s", sql);
    bool is = strcmp(cell ? cell : "(null)", expected) == 0;
    free(cell);
    return is;
}

static bool sql_becomes(const char *expected, const char *format, const char *id) {
    long long deadline_ms = now_ms() + SETTLE_MS;
    while (!sql_is(expected, format, id)) {
        if (!wait_again(deadline_ms)) {
            return false;
        }
    }
    return true;
}

static void must_become(const char *expected, const char *what, const char *format, const char *id) {
    if (!sql_becomes(expected, format, id)) {
        char sql[1024];
        snprintf(sql, sizeof(sql), format, id);
        char *cell = stack_sql(stack, "%s", sql);
        finding("%s: is %s, must become %s", what, cell ? cell : "(null)", expected);
        free(cell);
    }
}

/* ---- processes ---- */

static void print_log_end(enum stack_program program) {
    printf("    ");
    fflush(stdout);
    stack_print_log(stack, program);
}

/* Notes who has ended, and starts it again. */
static void check_alive(void) {
    for (int program = 0; program <= STACK_CONTENT; program++) {
        int status = 0;
        if (waitpid(stack->pids[program], &status, WNOHANG) == stack->pids[program]) {
            finding("a server has ended, wait status %d: %s", status, victims[program].name);
            print_log_end((enum stack_program)program);
            stack->pids[program] = 0;
            stack_run(stack, (enum stack_program)program);
            if (program != STACK_FAKES) {
                stack_wait_serving(stack, (enum stack_program)program);
            }
        }
    }
}

static uint32_t count_descriptors(enum stack_program program) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)stack->pids[program]);
    DIR *directory = opendir(path);
    uint32_t count = 0;
    while (directory && readdir(directory)) {
        count++;
    }
    if (directory) {
        closedir(directory);
    }
    return count;
}

static uint32_t count_tasks(enum stack_program program) {
    struct answer answer = stack_call_at(stack, program, "herald.rpc.v1.Introspection/ListTasks", "{\"limit\":1000}");
    uint32_t count = answer.code == HERALD_OK ? (uint32_t)json_array_size(answer_at(&answer, "tasks")) : UINT32_MAX;
    answer_clear(&answer);
    return count;
}

static void print_tasks(enum stack_program program) {
    struct answer answer = stack_call_at(stack, program, "herald.rpc.v1.Introspection/ListTasks", "{\"limit\":1000}");
    char *text = json_dumps(answer_at(&answer, "tasks"), JSON_INDENT(1));
    printf("%s\n", text ? text : "");
    free(text);
    answer_clear(&answer);
}

struct usage {
    uint32_t descriptors[STACK_PROGRAMS], tasks[STACK_PROGRAMS];
};

static void measure(struct usage *ret) {
    for (size_t i = 0; i < VICTIMS; i++) {
        ret->descriptors[victim_order[i]] = count_descriptors(victim_order[i]);
        ret->tasks[victim_order[i]] = count_tasks(victim_order[i]);
    }
}

static void check_usage(const struct usage *before) {
    for (size_t i = 0; i < VICTIMS; i++) {
        enum stack_program program = victim_order[i];
        long long deadline_ms = now_ms() + SETTLE_MS;
        uint32_t tasks = count_tasks(program);
        while (tasks > before->tasks[program] && wait_again(deadline_ms)) {
            tasks = count_tasks(program);
        }
        uint32_t descriptors = count_descriptors(program);
        printf("%s: tasks %u, before %u; descriptors %u, before %u\n", victims[program].name, tasks,
               before->tasks[program], descriptors, before->descriptors[program]);
        if (tasks > before->tasks[program]) {
            finding("tasks are left in %s", victims[program].name);
            print_tasks(program);
        }
        if (descriptors > before->descriptors[program] + NEW_DESCRIPTORS) {
            finding("descriptors are left in %s", victims[program].name);
        }
    }
}

/* Ends a server; its leak check runs then. */
static void end_server(enum stack_program program) {
    int status = 0;
    long long deadline_ms = now_ms() + SETTLE_MS;
    kill(stack->pids[program], SIGTERM);
    while (waitpid(stack->pids[program], &status, WNOHANG) == 0) {
        if (!wait_again(deadline_ms)) {
            finding("%s does not end", victims[program].name);
            kill(stack->pids[program], SIGKILL);
            waitpid(stack->pids[program], &status, 0);
            break;
        }
    }
    stack->pids[program] = 0;
    if (status != 0) {
        finding("%s ended with wait status %d", victims[program].name, status);
        char command[512];
        snprintf(command, sizeof(command), "sed -n '/ERROR: .*Sanitizer/,$p' '%s/herald-%s.log' | head -n 400",
                 stack_folder(stack), victims[program].name);
        fflush(stdout);
        if (system(command) != 0) {
            print_log_end(program);
        }
    }
}

/* ---- the one failure ---- */

static void map_pages(void) {
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < VICTIMS; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", folder, victims[victim_order[i]].file);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, sizeof(struct torture_page)), 0);
        void *map = mmap(NULL, sizeof(struct torture_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(map != MAP_FAILED);
        close(fd);
        pages[victim_order[i]] = map;
    }
}

static void unmap_pages(void) {
    for (size_t i = 0; i < VICTIMS; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", folder, victims[victim_order[i]].file);
        unlink(path);
        munmap(pages[victim_order[i]], sizeof(struct torture_page));
    }
    rmdir(folder);
}

static void arm(void) {
    struct torture_page *page = pages[now.victim];
    page->rule = options.rule;
    page->stride = options.stride;
    page->phase = options.phase;
    page->nth = now.number * options.stride - options.phase;
    atomic_store(&page->calls, 0);
    atomic_store(&page->described, 0);
    atomic_store(&page->armed, 1);
}

/* Whether a call has failed; none will any more. */
static bool disarm(void) {
    struct torture_page *page = pages[now.victim];
    uint32_t armed = 1;
    if (atomic_compare_exchange_strong(&page->armed, &armed, 0)) {
        return false;
    }
    long long deadline_ms = now_ms() + SETTLE_MS;
    while (!atomic_load(&page->described)) {
        if (!wait_again(deadline_ms)) {
            fail_msg("a failure is not described");
        }
    }
    return true;
}

/* ---- requests ---- */

static void prepare_draft(void) {
    fresh_user(now.user);
    herald_uuid7(now.draft_id);
    herald_uuid7(now.key);
    now.job_id[0] = '\0';
    free(stack_sql(stack,
                   "INSERT INTO event_drafts (id, user_id, title, prize, brand_color, store_name, store_address, "
                   "store_phone, objective, recommendation_id, recommendation_title, recommendation_summary, "
                   "content_job_id, content_style, content_png_url, content_jpeg_url, created_at, updated_at) "
                   "VALUES ('%s', '%s', '가을맞이 치킨 반값 이벤트', '후라이드 한 마리', '#D9480F', '행복치킨', "
                   "'서울 마포구', '02-123-4567', 'SALES', 'rec-1', '반값', '이번 주말 치킨이 반값!', "
                   "gen_random_uuid(), 'FANCY', 'http://127.0.0.1/a.png', 'http://127.0.0.1/a.jpg', now(), now())",
                   now.draft_id, now.user));
}

static struct answer call_now(void) {
    const struct herald_call_options call = {.idempotency_key = now.key, .timeout_ms = CALL_TIMEOUT_MS};
    long long began_ms = now_ms();
    struct answer answer =
        now.path == PATH_PUBLISH
            ? stack_call_with(stack, &call, EVENTS "PublishEvent", PUBLISH, now.draft_id, now.user)
            : stack_call_with(stack, &call, EVENTS "RequestImageGeneration", DRAFT, now.draft_id, now.user);
    if (now_ms() - began_ms > SLOW_CALL_MS) {
        finding("the call took %lld ms and ended %s %s: %s", now_ms() - began_ms, herald_code_name((int)answer.code),
                answer.error.reason, answer.error.message);
    }
    return answer;
}

static bool has_taken_effect(void) {
    return now.path == PATH_PUBLISH
               ? !sql_is("DRAFT", "SELECT status FROM event_drafts WHERE id = '%s'", now.draft_id)
               : !sql_is("0", "SELECT count(*) FROM jobs WHERE event_draft_id = '%s'", now.draft_id);
}

/* What the caller heard must not be contradicted by what is. */
static void check_told(const struct answer *answer) {
    if (answer->code == HERALD_OK) {
        if (now.path == PATH_PUBLISH && strcmp(answer_text(answer, "status"), "ACTIVE") != 0 &&
            !json_is_true(answer_at(answer, "goesOn"))) {
            finding("told %s, and not that it goes on", answer_text(answer, "status"));
        }
        if (!has_taken_effect()) {
            finding("told OK, and nothing is there");
        }
        return;
    }
    if (options.verbose) {
        printf("    told %s %s, %s, repeat %s: %s\n", herald_code_name((int)answer->code), answer->error.reason,
               herald_outcome_name(answer->outcome), herald_repeat_name(answer->may_repeat), answer->error.message);
    }
    if (answer->outcome != HERALD_MAYBE_EXECUTED && has_taken_effect()) {
        finding("told %s %s, %s, and it has taken effect: %s", herald_code_name((int)answer->code),
                answer->error.reason, herald_outcome_name(answer->outcome), answer->error.message);
    }
    if (answer->may_repeat == HERALD_REPEAT_NO) {
        finding("told %s %s, never to repeat: %s", herald_code_name((int)answer->code), answer->error.reason,
                answer->error.message);
    }
}

/* Repeats the call under its key until it succeeds. */
static void repeat_until_ok(struct answer *answer) {
    long long deadline_ms = now_ms() + SETTLE_MS;
    while (answer->code != HERALD_OK) {
        if (!wait_again(deadline_ms)) {
            finding("repeats never succeed: %s %s: %s", herald_code_name((int)answer->code), answer->error.reason,
                    answer->error.message);
            return;
        }
        check_alive();
        answer_clear(answer);
        *answer = call_now();
    }
}

/* ---- the publish path ---- */

/* Each channel that is PUBLISHED has one post, and none has two. */
static void check_posts(void) {
    json_t *posts = stack_posts(stack, now.draft_id);
    json_t *channels = json_object();
    for (size_t i = 0; i < json_array_size(posts); i++) {
        const char *channel = json_string_value(json_object_get(json_array_get(posts, i), "channel"));
        if (json_object_get(channels, channel)) {
            finding("%s has two posts", channel);
        }
        json_object_set_new(channels, channel, json_true());
        if (!sql_is("t",
                    "SELECT bool_and(state IN ('PUBLISHED', 'OUTCOME_UNKNOWN')) FROM deliveries WHERE event_id = '%s'",
                    now.draft_id)) {
            finding("%s has a post, and a delivery is told to have failed", channel);
        }
    }
    char *published = stack_sql(
        stack, "SELECT string_agg(channel, ' ') FROM deliveries WHERE event_id = '%s' AND state = 'PUBLISHED'",
        now.draft_id);
    char *rest = published;
    for (char *channel = strsep(&rest, " "); channel; channel = strsep(&rest, " ")) {
        if (!json_object_get(channels, channel)) {
            finding("%s is PUBLISHED, and has no post", channel);
        }
    }
    free(published);
    json_decref(channels);
    json_decref(posts);
}

static void check_published(void) {
    must_become("ACTIVE", "the event", "SELECT status FROM event_drafts WHERE id = '%s'", now.draft_id);
    /* a post that may have been sent, to a channel that cannot be asked, is nobody's to repeat */
    must_become("3", "deliveries that are PUBLISHED, or their outcome UNKNOWN",
                "SELECT count(*) FROM deliveries WHERE event_id = '%s' AND state IN ('PUBLISHED', 'OUTCOME_UNKNOWN')",
                now.draft_id);
    if (!sql_is("3", "SELECT count(*) FROM deliveries WHERE event_id = '%s' AND state = 'PUBLISHED'", now.draft_id)) {
        unknown++;
    }
    must_become("0", "records that are not sent", "SELECT count(*) FROM outbox WHERE key = '%s' AND sent_at IS NULL",
                now.draft_id);
    check_posts();
}

/* ---- the job path ---- */

static void check_job(const struct answer *answer) {
    snprintf(now.job_id, sizeof(now.job_id), "%s", answer_text(answer, "jobId"));
    if (!sql_is("1", "SELECT count(*) FROM jobs WHERE event_draft_id = '%s'", now.draft_id)) {
        finding("not one job");
    }
    if (!sql_is(now.job_id, "SELECT image_job_id FROM event_drafts WHERE id = '%s'", now.draft_id)) {
        finding("the draft does not name the job %s", now.job_id);
    }
}

static void check_job_ends(void) {
    must_become("COMPLETED", "the job", "SELECT status FROM jobs WHERE id = '%s'", now.job_id);
    must_become("3", "its pictures", "SELECT count(*) FROM job_pictures WHERE job_id = '%s'", now.job_id);
    must_become("0", "records that are not sent", "SELECT count(*) FROM outbox WHERE key = '%s' AND sent_at IS NULL",
                now.job_id);
}

/* ---- one request with one failure ---- */

static bool is_settled(void) {
    return now.path == PATH_PUBLISH
               ? sql_is("0", "SELECT count(*) FROM outbox WHERE key = '%s' AND sent_at IS NULL", now.draft_id)
               : sql_is("COMPLETED", "SELECT status FROM jobs WHERE event_draft_id = '%s'", now.draft_id);
}

/* The failure may also hit what follows the reply. */
static bool disarm_in_time(void) {
    const struct torture_page *page = pages[now.victim];
    bool pictures = now.victim == STACK_CONTENT;
    long long deadline_ms = now_ms() + (pictures ? SETTLE_MS : BACKGROUND_MS);
    while (atomic_load(&page->armed) && !is_settled() && wait_again(deadline_ms)) {
    }
    return disarm();
}

/* Returns whether a call failed. */
static bool request_once(void) {
    prepare_draft();
    arm();
    struct answer answer = call_now();
    bool failed = disarm_in_time();
    if (options.verbose && failed) {
        printf("  %s, %s, request %llu\n", path_names[now.path], victims[now.victim].name,
               (unsigned long long)now.number);
        print_failure();
    }
    check_alive();
    check_told(&answer);
    repeat_until_ok(&answer);
    if (now.path == PATH_PUBLISH) {
        check_published();
    } else {
        check_job(&answer);
        if (now.victim == STACK_CONTENT) {
            check_job_ends();
        }
    }
    answer_clear(&answer);
    check_alive();
    return failed;
}

/* Each call on a path of a victim fails once. */
static void torture(enum path path, enum stack_program victim) {
    uint64_t failures = 0, calls = 0;
    long long began_ms = now_ms();
    memset(&now, 0, sizeof(now));
    now.path = path;
    now.victim = victim;
    for (uint32_t passed = 0; passed < 2 && now.number < options.most && found < FINDINGS_MAX;) {
        now.number++;
        bool failed = request_once();
        failures += failed;
        passed = failed ? 0 : passed + 1;
        uint64_t now_calls = atomic_load(&pages[victim]->calls);
        calls = !failed && now_calls > calls ? now_calls : calls;
    }
    printf("path %s, victim %s: %llu requests, %llu failures, %lld s", path_names[path], victims[victim].name,
           (unsigned long long)now.number, (unsigned long long)failures, (now_ms() - began_ms) / 1000);
    printf(calls ? "; %llu calls that can fail in a whole request\n" : "\n", (unsigned long long)calls);
    fflush(stdout);
}

static int count_open_jobs(void) {
    char *cell = stack_sql(stack, "SELECT count(*) FROM jobs WHERE status <> 'COMPLETED'");
    int count = atoi(cell);
    free(cell);
    return count;
}

/* Jobs that were asked for faster than drawn get as long as one of them ends now and then. */
static void check_all_jobs(void) {
    int left = count_open_jobs();
    long long deadline_ms = now_ms() + SETTLE_MS;
    while (left > 0) {
        if (!wait_again(deadline_ms)) {
            finding("%d jobs have no pictures", left);
            return;
        }
        int open = count_open_jobs();
        deadline_ms = open < left ? now_ms() + SETTLE_MS : deadline_ms;
        left = open;
    }
}

static void torture_all(void) {
    for (int path = 0; path < PATHS; path++) {
        for (size_t i = 0; i < VICTIMS; i++) {
            enum stack_program victim = victim_order[i];
            if (victims[victim].on[path] && (!options.path || strcmp(options.path, path_names[path]) == 0) &&
                (!options.victim || strcmp(options.victim, victims[victim].name) == 0)) {
                torture((enum path)path, victim);
            }
        }
    }
}

static void test_each_call_fails_once(void **state) {
    (void)state;
    map_pages();
    setenv(TORTURE_FOLDER_VARIABLE, folder, 1);
    setenv("HERALD_BIN", TORTURE_BIN, 1);
    setenv("LSAN_OPTIONS", "print_suppressions=0:suppressions=" TORTURE_SUPPRESSIONS, 1);
    const char *const settings[] = {"HERALD_CHANNELS_BACKOFF_MIN_MS=50", "HERALD_PUBLISH_RECONCILE_AFTER_MS=200", NULL};
    stack = stack_start(settings);
    stack_wait_serving(stack, STACK_CONTENT);
    struct usage before;
    const struct {
        enum path path;
        enum stack_program victim;
    } warm_up[] = {{PATH_PUBLISH, STACK_EVENT}, {PATH_JOB, STACK_CONTENT}};
    for (size_t i = 0; i < 2; i++) {
        memset(&now, 0, sizeof(now));
        now.path = warm_up[i].path;
        now.victim = warm_up[i].victim;
        prepare_draft();
        struct answer answer = call_now();
        assert_int_equal(answer.code, HERALD_OK);
        answer_clear(&answer);
    }
    measure(&before);
    torture_all();
    check_all_jobs();
    check_usage(&before);
    for (size_t i = 0; i < VICTIMS; i++) {
        end_server(victim_order[i]);
    }
    stack_stop(stack);
    unmap_pages();
    printf("%u publishes with an unknown outcome at a channel; %u broken promises\n", unknown, found);
    assert_int_equal(found, 0);
}

static void usage(FILE *out) {
    fprintf(out, "Usage: torture [OPTION…], under tests/support/with-services\n"
                 "  --path publish|job                       [both]\n"
                 "  --victim event|distribution|job|content  [all]\n"
                 "  --nth          the n-th call fails, n = 1, 2, …; else each call stack fails once\n"
                 "  --stride N     only each N-th, --phase P: from the P-th [1, 0]\n"
                 "  --most N       at most so many requests of each victim on each path\n"
                 "  --verbose      tells each failure, and what callers were told\n");
}

static void read_options(int argc, char **argv) {
    static const struct option known[] = {
        {"path", required_argument, NULL, 'p'},
        {"victim", required_argument, NULL, 'v'},
        {"nth", no_argument, NULL, 'n'},
        {"stride", required_argument, NULL, 's'},
        {"phase", required_argument, NULL, 'f'},
        {"most", required_argument, NULL, 'm'},
        {"verbose", no_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'p':
            options.path = optarg;
            break;
        case 'v':
            options.victim = optarg;
            break;
        case 'n':
            options.rule = TORTURE_NTH;
            break;
        case 's':
            options.stride = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'f':
            options.phase = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'm':
            options.most = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'w':
            options.verbose = true;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(64);
        }
    }
    if (options.stride == 0 || options.phase >= options.stride) {
        usage(stderr);
        exit(64);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_call_fails_once)};
    setvbuf(stdout, NULL, _IOLBF, 0);
    read_options(argc, argv);
    return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}
