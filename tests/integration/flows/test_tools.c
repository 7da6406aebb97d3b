/* What an operator has: nngcat with plain-text probes, and heraldctl. */
#include "stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

STACK_FIXTURE

struct output {
    int status; /* exit status */
    char text[65536];
};

/* Runs a shell command in the stack's environment, with heraldctl on the path; both outputs together. */
static struct output run(const char *format, ...) {
    char command[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    char path[1024];
    snprintf(path, sizeof(path), "%s/command", stack_folder(stack));
    FILE *script = fopen(path, "w");
    assert_non_null(script);
    fprintf(script, "PATH='%s':$PATH\n", getenv("HERALD_BIN"));
    for (char *const *setting = stack_environment(stack); *setting; setting++) {
        if (strncmp(*setting, "HERALD_", 7) == 0) {
            const char *value = strchr(*setting, '=') + 1;
            fprintf(script, "export %.*s=\"%s\"\n", (int)(value - *setting - 1), *setting, value);
        }
    }
    fprintf(script, "{ %s\n} 2>&1\n", command);
    fclose(script);
    snprintf(command, sizeof(command), "bash '%s'", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    struct output output = {0};
    size_t bytes = fread(output.text, 1, sizeof(output.text) - 1, pipe);
    output.text[bytes] = '\0';
    int status = pclose(pipe);
    output.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return output;
}

static void assert_status(const struct output *output, int status) {
    if (output->status != status) {
        fail_msg("status %d, not %d: %s", output->status, status, output->text);
    }
}

static void assert_says(const struct output *output, const char *text) {
    if (!strstr(output->text, text)) {
        fail_msg("no \"%s\" in: %s (status %d)", text, output->text, output->status);
    }
}

#define NNGCAT "nngcat --req --dial \"$HERALD_EVENT_URL\" --recv-timeout 5 --ascii --data "

static void test_nngcat_health_probe_is_answered_readably(void **state) {
    (void)state;
    struct output output = run(NNGCAT "'herald.rpc.v1.Health/Check'");
    assert_says(&output, "\"status\":\"SERVING\"");
    assert_says(&output, "herald.event.v1.EventService");
    assert_says(&output, "\"database\"");
}

static void test_nngcat_probe_calls_methods_and_shows_errors(void **state) {
    (void)state;
    struct output output = run(NNGCAT "'help'");
    assert_says(&output, "PublishEvent");
    output = run(NNGCAT "'describe PublishEvent'");
    assert_says(&output, "selected_channels");
    output = run(NNGCAT "'herald.event.v1.EventService/ListEvents {\"userId\":\"nobody\"}'");
    assert_says(&output, "\"events\":[]");
    output = run(NNGCAT "'{\"method\":\"herald.event.v1.EventService/GetEvent\",\"request\":{\"userId\":\"u\"}}'");
    assert_says(&output, "INVALID_ARGUMENT");
    assert_says(&output, "eventDraftId");
    output = run(NNGCAT "'herald.event.v1.EventService/Nothing'");
    assert_says(&output, "UNIMPLEMENTED");
    output = run(NNGCAT "'herald.event.v1.EventService/GetEvent {\"userid\":1}'");
    assert_says(&output, "userid");
    output = run(NNGCAT "'HELLO?'");
    assert_says(&output, "help");
}

static void test_heraldctl_health_ls_and_describe(void **state) {
    (void)state;
    /* The content worker serves once it has joined its group. */
    struct output output =
        run("for i in $(seq 300); do now=$(heraldctl health) && echo \"$now\" && exit; sleep 0.1; done\n"
            "echo \"$now\"; exit 1");
    assert_status(&output, 0);
    assert_says(&output, "herald.job.v1.JobService");
    output = run("heraldctl -o json health | jq -e .");
    assert_status(&output, 0);
    output = run("heraldctl ls");
    assert_status(&output, 0);
    assert_says(&output, "herald.event.v1.EventService/PublishEvent");
    output = run("heraldctl describe EventDraft");
    assert_status(&output, 0);
    assert_says(&output, "store_info");
    output = run("heraldctl describe Nonsense");
    assert_true(output.status != 0);
    assert_says(&output, "Nonsense");
}

static void test_heraldctl_call_reads_argument_file_and_input(void **state) {
    (void)state;
    struct output output = run("heraldctl call EventService/ListEvents -d '{\"userId\":\"u\"}'");
    assert_status(&output, 0);
    output = run("echo '{\"userId\":\"u\"}' > \"%s/request\"; heraldctl call ListEvents -d @\"%s/request\"",
                 stack_folder(stack), stack_folder(stack));
    assert_status(&output, 0);
    output = run("echo '{\"userId\":\"u\"}' | heraldctl call ListEvents -d -");
    assert_status(&output, 0);
    output = run("heraldctl call ListEvents -d '{\"userId\":\"\"}'");
    assert_status(&output, 1);
    assert_says(&output, "INVALID_ARGUMENT");
    assert_says(&output, "userId");
    output = run("heraldctl call ListEvents -d '{nonsense'");
    assert_status(&output, 2);
    output = run("HERALD_EVENT_URL=tcp://127.0.0.1:9 heraldctl call ListEvents -d '{\"userId\":\"u\"}'");
    assert_status(&output, 3);
}

static void test_heraldctl_print_nngcat_prints_a_pipe_that_works(void **state) {
    (void)state;
    struct output output =
        run("pipe=$(heraldctl --print-nngcat call ListEvents -d '{\"userId\":\"o'\\''hara\"}'); echo \"$pipe\"; "
            "eval \"$pipe\"");
    assert_says(&output, "nngcat");
    assert_says(&output, "\"events\":[]");
}

static void test_heraldctl_watch_follows_a_job_and_a_publication(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct output output = run("heraldctl watch job \"$(heraldctl -o json call GetEvent -d "
                               "'{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}' | jq -r .event.imageJobId)\"",
                               id, user);
    assert_status(&output, 0);
    assert_says(&output, "COMPLETED");
    struct answer answer =
        stack_call_ok(stack, EVENTS "PublishEvent",
                      "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":[1,4]}", id, user);
    answer_clear(&answer);
    output = run("heraldctl watch publish %s %s", id, user);
    assert_status(&output, 0);
    assert_says(&output, "ACTIVE");
    assert_says(&output, "INSTAGRAM");
}

/* U+0378 is no character yet, so no font has it. */
static void test_heraldctl_watch_job_shows_its_warnings(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    struct answer answer =
        stack_call_ok(stack, EVENTS "CreateEvent",
                      "{\"userId\":\"%s\",\"title\":\"행사\u0378\",\"storeInfo\":{\"name\":\"가게\"}}", user);
    snprintf(id, sizeof(id), "%s", answer_text(&answer, "event.eventDraftId"));
    answer_clear(&answer);
    answer = stack_call_ok(stack, EVENTS "SelectRecommendation",
                           "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":{\"recommendationId\":\"r1\","
                           "\"title\":\"반값\"}}",
                           id, user);
    answer_clear(&answer);
    answer =
        stack_call_ok(stack, EVENTS "RequestImageGeneration", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}", id, user);
    struct output output = run("heraldctl watch job %s", answer_text(&answer, "jobId"));
    answer_clear(&answer);
    assert_status(&output, 0);
    assert_says(&output, "warning: title: U+0378 left out: no installed font has it");
}

static void test_readme_program_and_commands_publish_an_event(void **state) {
    (void)state;
    struct output output = run("'%s/tests/integration/flows/readme-test' '%s' '%s' '%s' '%s'", HERALD_SOURCE_DIR,
                               HERALD_BUILD_DIR, HERALD_SOURCE_DIR, HERALD_C_COMPILER, HERALD_SANITIZERS);
    assert_says(&output, "README holds");
    assert_status(&output, 0);
}

static void test_heraldctl_migrate_is_idempotent(void **state) {
    (void)state;
    struct output output = run("heraldctl migrate && heraldctl migrate --check");
    assert_status(&output, 0);
}

static void test_heraldctl_doctor_finds_what_is_missing_and_how_to_mend_it(void **state) {
    (void)state;
    struct output output = run("HERALD_REDIS_URL=redis://127.0.0.1:9 heraldctl doctor");
    assert_true(output.status != 0);
    assert_says(&output, "127.0.0.1:9");
    output = run("heraldctl doctor");
    assert_status(&output, 0);
}

static void test_heraldctl_channels_and_doctor_show_a_pause_until_it_ends(void **state) {
    (void)state;
    struct output output = run("heraldctl channel pause genie-tv --note 'they move' && heraldctl channels");
    assert_status(&output, 0);
    assert_says(&output, "GENIE_TV: paused by an operator: they move");
    output = run("heraldctl doctor");
    assert_status(&output, 0); /* a warning is nothing wrong */
    assert_says(&output, "warn   channels' states     GENIE_TV: paused by an operator: they move");
    assert_says(&output, "-> heraldctl channel resume GENIE_TV");
    output = run("heraldctl channel resume GENIE_TV && heraldctl channels");
    assert_status(&output, 0);
    assert_null(strstr(output.text, "paused"));
}

/* How many deliveries wait is counted once somebody has looked. */
static void test_heraldctl_call_get_stats_shows_the_gauges(void **state) {
    (void)state;
    struct output output = run("heraldctl call herald.rpc.v1.Introspection/GetStats --server event -o json");
    assert_status(&output, 0);
    assert_says(&output, "{\"name\":\"breaker\",\"label\":\"Distribute\",\"value\":0,\"text\":\"CLOSED\"}");
    output = run("for i in $(seq 300); do stats=$(heraldctl call herald.rpc.v1.Introspection/GetStats --server "
                 "distribution -o json); [[ $stats == *waiting* ]] && break; sleep 0.1; done; echo \"$stats\"");
    assert_says(&output, "\"name\":\"driven\"");
    assert_says(&output, "\"name\":\"breaker\",\"label\":\"KAKAO_CHANNEL\"");
    assert_says(&output, "\"name\":\"waiting\",\"label\":\"INSTAGRAM\"");
}

static void test_heraldctl_deliveries_show_and_retry_an_event(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct answer answer = stack_call_ok(
        stack, EVENTS "PublishEvent", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":[1]}", id, user);
    answer_clear(&answer);
    struct output output = run("heraldctl deliveries %s --attempts", id);
    assert_status(&output, 0);
    assert_says(&output, "WOORIDONGNE_TV  PUBLISHED  1         ");
    assert_says(&output, "BEGAN");
    output = run("heraldctl deliveries %s preview WOORIDONGNE_TV", id);
    assert_status(&output, 0);
    assert_says(&output, "POST http://");
    output = run("heraldctl deliveries %s retry", id);
    assert_status(&output, 0);
    assert_says(&output, "0 begin anew or go on now");
    output = run("heraldctl deliveries %s --user somebody-else", id);
    assert_status(&output, 1);
    assert_says(&output, "NOT_FOUND");
    output = run("heraldctl deliveries --unknown");
    assert_status(&output, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nngcat_health_probe_is_answered_readably),
        cmocka_unit_test(test_nngcat_probe_calls_methods_and_shows_errors),
        cmocka_unit_test(test_heraldctl_health_ls_and_describe),
        cmocka_unit_test(test_heraldctl_call_reads_argument_file_and_input),
        cmocka_unit_test(test_heraldctl_print_nngcat_prints_a_pipe_that_works),
        cmocka_unit_test(test_heraldctl_watch_follows_a_job_and_a_publication),
        cmocka_unit_test(test_heraldctl_watch_job_shows_its_warnings),
        cmocka_unit_test(test_readme_program_and_commands_publish_an_event),
        cmocka_unit_test(test_heraldctl_channels_and_doctor_show_a_pause_until_it_ends),
        cmocka_unit_test(test_heraldctl_call_get_stats_shows_the_gauges),
        cmocka_unit_test(test_heraldctl_deliveries_show_and_retry_an_event),
        cmocka_unit_test(test_heraldctl_migrate_is_idempotent),
        cmocka_unit_test(test_heraldctl_doctor_finds_what_is_missing_and_how_to_mend_it),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
