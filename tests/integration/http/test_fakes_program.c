/* herald-fakes as a program, posted to as the distribution server does: six channels at once, from one thread. */
#include "server/outgoing/http.h"
#include "server/outgoing/webhook.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static const char *const CHANNELS[] = {"WOORIDONGNE_TV", "RINGO_BIZ",  "GENIE_TV",
                                       "INSTAGRAM",      "NAVER_BLOG", "KAKAO_CHANNEL"};
#define CHANNEL_COUNT (sizeof(CHANNELS) / sizeof(CHANNELS[0]))

/* --- the program ------------------------------------------------------------------------------------------------- */

struct program {
    pid_t pid;
    char folder[64];
    char url[128];
};

static bool read_ready(struct program *program) {
    char path[96];
    snprintf(path, sizeof(path), "%s/ready", program->folder);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    bool read = fgets(program->url, sizeof(program->url), file) != NULL;
    fclose(file);
    program->url[strcspn(program->url, "\n")] = '\0';
    return read;
}

static void program_start(struct program *program, const char *initial) {
    char ready[96];
    strcpy(program->folder, "/tmp/herald-fakes-XXXXXX");
    assert_non_null(mkdtemp(program->folder));
    snprintf(ready, sizeof(ready), "%s/ready", program->folder);
    program->pid = fork();
    assert_true(program->pid >= 0);
    if (program->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setenv("HERALD_FAKES_SECRET", SECRET, 1);
        execl(HERALD_FAKES_PROGRAM, "herald-fakes", "--listen", "127.0.0.1:0", "--ready-file", ready, "--quiet",
              "--channel", initial, "--all-webhooks", (char *)NULL);
        _exit(127);
    }
    uint64_t end_us = clock_now_us() + 20000000;
    while (!read_ready(program)) {
        assert_true(clock_now_us() < end_us);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static void program_stop(struct program *program) {
    int status = 0;
    char path[96];
    assert_int_equal(kill(program->pid, SIGTERM), 0);
    assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    snprintf(path, sizeof(path), "%s/ready", program->folder);
    unlink(path);
    rmdir(program->folder);
}

/* --- posting ----------------------------------------------------------------------------------------------------- */

struct posting {
    struct publication *publication;
    const char *channel;
    enum herald_code code;
    int status;
    uint64_t took_us;
};

struct publication {
    const char *url;
    uint32_t timeout_ms;
    struct webhook_secret secret;
    struct http *http;
    struct loop *loop;
    struct posting postings[CHANNEL_COUNT];
    uint64_t took_us;
    char *log;
};

static void post_body(void *arg) {
    struct posting *posting = arg;
    struct publication *publication = posting->publication;
    char url[256], body[256], id[64], stamp[64], signature[64], signed_header[128];
    const char *const headers[] = {"content-type: application/json", id, stamp, signed_header, NULL};
    int64_t now_s = clock_wall_us() / 1000000;
    uint64_t begun_us = clock_now_us();
    snprintf(url, sizeof(url), "%s/channels/%s/posts", publication->url, posting->channel);
    snprintf(body, sizeof(body), "{\"eventId\":\"e-1\",\"channel\":\"%s\",\"title\":\"행사\"}", posting->channel);
    webhook_sign(&publication->secret, "evt_1", now_s, body, strlen(body), signature, sizeof(signature));
    snprintf(id, sizeof(id), "webhook-id: evt_1");
    snprintf(stamp, sizeof(stamp), "webhook-timestamp: %" PRId64, now_s);
    snprintf(signed_header, sizeof(signed_header), "webhook-signature: %s", signature);
    struct http_request request = {.method = "POST",
                                   .url = url,
                                   .headers = headers,
                                   .body = body,
                                   .body_bytes = strlen(body),
                                   .timeout_ms = publication->timeout_ms};
    struct http_response response = {0};
    posting->code = http_send(publication->http, &request, &response, NULL);
    posting->status = response.status;
    posting->took_us = clock_now_us() - begun_us;
}

static void publish_body(void *arg) {
    struct publication *publication = arg;
    struct task_group group;
    char url[256];
    uint64_t begun_us = clock_now_us();
    task_group_init(&group);
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        publication->postings[i] = (struct posting){.publication = publication, .channel = CHANNELS[i]};
        (void)task_group_spawn(&group, "post", post_body, &publication->postings[i], NULL);
    }
    task_group_join(&group);
    publication->took_us = clock_now_us() - begun_us;
    snprintf(url, sizeof(url), "%s/log", publication->url);
    struct http_request request = {.method = "GET", .url = url, .timeout_ms = 5000};
    struct http_response response = {0};
    if (http_send(publication->http, &request, &response, NULL) == HERALD_OK) {
        publication->log = strdup(response.body);
    }
    http_close(publication->http);
}

static void publish(struct publication *publication, const char *url, uint32_t timeout_ms) {
    struct call call;
    *publication = (struct publication){.url = url, .timeout_ms = timeout_ms};
    assert_int_equal(webhook_secret_parse(SECRET, &publication->secret, NULL), HERALD_OK);
    assert_int_equal(loop_new(0, &publication->loop, NULL), HERALD_OK);
    assert_int_equal(http_open(publication->loop, &publication->http, NULL), HERALD_OK);
    call_init(&call, "test", NULL, 30000, 0);
    assert_int_equal(task_spawn(publication->loop, &call, "publish", publish_body, publication, NULL), HERALD_OK);
    loop_stop(publication->loop);
    loop_run(publication->loop);
    loop_free(publication->loop);
    call_fini(&call);
    assert_non_null(publication->log);
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void test_fakes_program_six_posts_overlap_in_time(void **state) {
    (void)state;
    struct program program;
    struct publication publication;
    json_int_t last_received_ms = 0, first_answered_ms = INT64_MAX;
    int lines = 0;
    program_start(&program, "INSTAGRAM=ok");
    publish(&publication, program.url, 10000);
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        assert_int_equal(publication.postings[i].code, HERALD_OK);
        assert_int_equal(publication.postings[i].status, 200);
    }
    for (char *line = strtok(publication.log, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        json_t *post = json_loads(line, 0, NULL);
        json_int_t received_ms = json_integer_value(json_object_get(post, "received_ms"));
        json_int_t answered_ms = json_integer_value(json_object_get(post, "answered_ms"));
        assert_true(json_is_false(json_object_get(post, "duplicate")));
        last_received_ms = received_ms > last_received_ms ? received_ms : last_received_ms;
        first_answered_ms = answered_ms < first_answered_ms ? answered_ms : first_answered_ms;
        json_decref(post);
    }
    assert_int_equal(lines, CHANNEL_COUNT);
    assert_true(last_received_ms <= first_answered_ms); /* all had begun before the first was done */
    free(publication.log);
    program_stop(&program);
}

static void test_fakes_program_hanging_channel_does_not_delay_the_others(void **state) {
    (void)state;
    struct program program;
    struct publication publication;
    program_start(&program, "NAVER_BLOG=hang");
    publish(&publication, program.url, 3000);
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        const struct posting *posting = &publication.postings[i];
        bool hangs = strcmp(posting->channel, "NAVER_BLOG") == 0;
        assert_int_equal(posting->code, hangs ? HERALD_OUTCOME_UNKNOWN : HERALD_OK);
        assert_true(hangs ? posting->took_us >= 2900000 : posting->took_us < 2900000);
    }
    free(publication.log);
    program_stop(&program);
}

static int exit_status_of(const char *first, const char *second) {
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execl(HERALD_FAKES_PROGRAM, "herald-fakes", first, second, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_fakes_program_bad_options_end_it(void **state) {
    (void)state;
    assert_int_equal(exit_status_of("--help", NULL), 0);
    assert_int_equal(exit_status_of("--nonsense", NULL), 2);
    assert_int_equal(exit_status_of("stray", NULL), 2);
    assert_int_equal(exit_status_of("--listen", "nowhere"), 2);
    assert_int_equal(exit_status_of("--port", "70000"), 2);
    assert_int_equal(exit_status_of("--channel", "INSTAGRAM=lazy"), 2);
    assert_int_equal(exit_status_of("--channel", "NOWHERE=ok"), 2);
    assert_int_equal(exit_status_of("--channel", "INSTAGRAM={\"mode\":\"ok\",\"count\":-1}"), 2);
    assert_int_equal(exit_status_of("--kst", "25:00"), 2);
    assert_int_equal(exit_status_of("--instagram-quota", "0"), 2);
    assert_int_equal(exit_status_of("--tls-listen", "nowhere"), 2);
    assert_int_equal(exit_status_of("--scenario", "/nowhere/scenario"), 1);
    assert_int_equal(exit_status_of("--secret", "GENIE_TV=short"), 1);
    assert_int_equal(exit_status_of("--secret", "short"), 1);
    assert_int_equal(exit_status_of("--listen", "203.0.113.1:0"), 1); /* an address that is not ours */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fakes_program_six_posts_overlap_in_time),
        cmocka_unit_test(test_fakes_program_hanging_channel_does_not_delay_the_others),
        cmocka_unit_test(test_fakes_program_bad_options_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
