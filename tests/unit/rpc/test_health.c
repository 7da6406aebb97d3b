#include "cmocka_headers.h"
#include "fixture.h"
#include "herald/rpc/v1/health.client.h"
#include "herald/rpc/v1/introspection.client.h"
#include "herald/rpc/v1/reflection.client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Health, Reflection and Introspection, which every server serves. */

#define JOB_SERVICE "herald.job.v1.JobService"

struct served {
    struct fixture fixture;
    struct herald_channel *channel;
    struct herald_reply reply;
};

static int set_up_loops(void **state, unsigned loops) {
    struct served *served = calloc(1, sizeof(*served));
    struct fixture *fixture = &served->fixture;
    struct herald_error error;
    fixture_init(fixture);
    fixture->settings.rpc_loops = loops;
    fixture_start(fixture);
    assert_int_equal(rpc_server_need(fixture->server, JOB_SERVICE, "database", &error), HERALD_OK);
    assert_int_equal(rpc_server_need(fixture->server, JOB_SERVICE, "redis", &error), HERALD_OK);
    assert_int_equal(rpc_server_listen(fixture->server, "tcp://127.0.0.1:0", &error), HERALD_OK);
    fixture->url = rpc_server_url(fixture->server);
    assert_int_equal(herald_channel_open(fixture->url, NULL, &served->channel, &error), HERALD_OK);
    *state = served;
    return 0;
}

static int set_up(void **state) {
    return set_up_loops(state, 1);
}

static int set_up_two_loops(void **state) {
    return set_up_loops(state, 2);
}

static int tear_down(void **state) {
    struct served *served = *state;
    herald_reply_clear(&served->reply);
    herald_channel_close(served->channel);
    fixture_stop(&served->fixture);
    free(served);
    return 0;
}

static const Herald__Rpc__V1__HealthCheckResponse *check(struct served *served, const char *service) {
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    const Herald__Rpc__V1__HealthCheckResponse *response = NULL;
    request.service = (char *)service;
    herald_reply_clear(&served->reply);
    assert_int_equal(herald_rpc_v1_health_check(served->channel, &request, NULL, &served->reply, &response), HERALD_OK);
    return response;
}

static const Herald__Rpc__V1__ServiceHealth *check_job(struct served *served) {
    const Herald__Rpc__V1__HealthCheckResponse *response = check(served, JOB_SERVICE);
    assert_int_equal(response->n_services, 1);
    assert_string_equal(response->services[0]->service, JOB_SERVICE);
    assert_int_equal(response->services[0]->n_components, 2);
    assert_int_equal(response->status, response->services[0]->status);
    return response->services[0];
}

static void assert_component(const Herald__Rpc__V1__ServiceHealth *service, size_t index, const char *name,
                             bool serving, const char *message) {
    const Herald__Rpc__V1__ComponentHealth *component = service->components[index];
    assert_string_equal(component->name, name);
    assert_int_equal(component->status,
                     serving ? HERALD__RPC__V1__SERVING_STATUS__SERVING : HERALD__RPC__V1__SERVING_STATUS__NOT_SERVING);
    assert_string_equal(component->message, message);
}

static void test_health_component_unreported_is_not_serving(void **state) {
    const Herald__Rpc__V1__ServiceHealth *service = check_job(*state);
    assert_int_equal(service->status, HERALD__RPC__V1__SERVING_STATUS__NOT_SERVING);
    assert_component(service, 0, "database", false, "not connected yet");
    assert_component(service, 1, "redis", false, "not connected yet");
}

static void test_health_follows_components(void **state) {
    struct served *served = *state;
    struct rpc_server *server = served->fixture.server;
    rpc_server_set_health(server, "database", true, NULL);
    assert_int_equal(check_job(served)->status, HERALD__RPC__V1__SERVING_STATUS__NOT_SERVING);
    rpc_server_set_health(server, "redis", true, NULL);
    const Herald__Rpc__V1__ServiceHealth *service = check_job(served);
    assert_int_equal(service->status, HERALD__RPC__V1__SERVING_STATUS__SERVING);
    assert_component(service, 0, "database", true, "");
    rpc_server_set_health(server, "database", false, "connection refused");
    rpc_server_set_health(server, "database", false, "connection refused");
    service = check_job(served);
    assert_int_equal(service->status, HERALD__RPC__V1__SERVING_STATUS__NOT_SERVING);
    assert_component(service, 0, "database", false, "connection refused");
    assert_component(service, 1, "redis", true, "");
    rpc_server_set_health(server, "database", true, NULL);
    assert_int_equal(check_job(served)->status, HERALD__RPC__V1__SERVING_STATUS__SERVING);
}

/* A report of one loop never hides what another one has said. */
static void test_health_of_loops_serves_when_all_do(void **state) {
    struct served *served = *state;
    struct rpc_server *server = served->fixture.server;
    rpc_server_set_loop_health(server, "database", 1, true, NULL);
    assert_component(check_job(served), 0, "database", false, "not connected yet"); /* not on loop 0 */
    rpc_server_set_loop_health(server, "database", 0, false, "connection refused");
    assert_component(check_job(served), 0, "database", false, "connection refused");
    rpc_server_set_loop_health(server, "database", 1, true, "a standby is not covered");
    assert_component(check_job(served), 0, "database", false, "connection refused");
    rpc_server_set_loop_health(server, "database", 0, true, NULL);
    assert_component(check_job(served), 0, "database", true, "a standby is not covered");
    rpc_server_set_loop_health(server, "database", 1, false, NULL);
    rpc_server_set_loop_health(server, "database", 0, true, "");
    assert_component(check_job(served), 0, "database", false, "does not answer");
    rpc_server_set_loop_health(server, "database", 1, true, NULL);
    assert_component(check_job(served), 0, "database", true, "");
}

static void test_health_empty_name_lists_all_services(void **state) {
    struct served *served = *state;
    const Herald__Rpc__V1__HealthCheckResponse *response = check(served, "");
    assert_int_equal(response->n_services, 5);
    assert_int_equal(response->status, HERALD__RPC__V1__SERVING_STATUS__NOT_SERVING);
    /* Services without needs serve. */
    assert_string_equal(response->services[0]->service, "herald.rpc.v1.Health");
    assert_int_equal(response->services[0]->status, HERALD__RPC__V1__SERVING_STATUS__SERVING);
    rpc_server_set_health(served->fixture.server, "database", true, NULL);
    rpc_server_set_health(served->fixture.server, "redis", true, NULL);
    assert_int_equal(check(served, "")->status, HERALD__RPC__V1__SERVING_STATUS__SERVING);
}

static void test_health_unknown_service_is_not_found(void **state) {
    struct served *served = *state;
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    const Herald__Rpc__V1__HealthCheckResponse *response = NULL;
    request.service = (char *)"herald.event.v1.EventService";
    assert_int_equal(herald_rpc_v1_health_check(served->channel, &request, NULL, &served->reply, &response),
                     HERALD_NOT_FOUND);
    assert_string_equal(served->reply.error.reason, "UNKNOWN_SERVICE");
    assert_non_null(strstr(served->reply.error.message, JOB_SERVICE));
}

static void test_health_draining_server_is_not_serving(void **state) {
    struct served *served = *state;
    rpc_server_set_health(served->fixture.server, "database", true, NULL);
    rpc_server_set_health(served->fixture.server, "redis", true, NULL);
    rpc_server_drain(served->fixture.server, 0);
    assert_int_equal(check(served, "")->status, HERALD__RPC__V1__SERVING_STATUS__NOT_SERVING);
}

static void test_server_need_of_unknown_service_is_not_found(void **state) {
    struct served *served = *state;
    struct herald_error error;
    assert_int_equal(rpc_server_need(served->fixture.server, "no.such.Service", "database", &error), HERALD_NOT_FOUND);
    assert_string_equal(error.reason, "UNKNOWN_SERVICE");
}

static void test_server_listen_twice_on_one_address_says_what_to_do(void **state) {
    struct served *served = *state;
    struct herald_error error;
    assert_int_equal(rpc_server_listen(served->fixture.server, served->fixture.url, &error),
                     HERALD_FAILED_PRECONDITION);
    assert_string_equal(error.reason, "ADDRESS_IN_USE");
    assert_non_null(strstr(error.message, served->fixture.url));
    assert_non_null(strstr(error.message, "choose another URL"));
}

static void test_server_listen_beyond_loopback_is_refused(void **state) {
    struct served *served = *state;
    struct herald_error error;
    assert_int_equal(rpc_server_listen(served->fixture.server, "tcp://0.0.0.0:0", &error), HERALD_PERMISSION_DENIED);
    assert_string_equal(error.reason, "INSECURE_LISTENER");
}

static void test_server_listen_on_stale_unix_socket_takes_it_over(void **state) {
    struct served *served = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct herald_error error;
    char url[128];
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/herald-test-stale-%d.sock", (int)getpid());
    snprintf(url, sizeof(url), "ipc://%s", address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd); /* as after kill -9: the file stays */
    assert_int_equal(rpc_server_listen(served->fixture.server, url, &error), HERALD_OK);
    assert_probe(url, "herald.rpc.v1.Health/Check", "NOT_SERVING");
}

static void test_reflection_lists_services_and_methods(void **state) {
    struct served *served = *state;
    Herald__Rpc__V1__ListServicesRequest request = HERALD__RPC__V1__LIST_SERVICES_REQUEST__INIT;
    const Herald__Rpc__V1__ListServicesResponse *response = NULL;
    assert_int_equal(herald_rpc_v1_reflection_list_services(served->channel, &request, NULL, &served->reply, &response),
                     HERALD_OK);
    assert_int_equal(response->n_services, 5);
    const Herald__Rpc__V1__ServiceSummary *job = response->services[4];
    assert_string_equal(job->name, JOB_SERVICE);
    assert_string_equal(job->summary, "Keeps jobs that make pictures.");
    assert_int_equal(job->n_methods, 6);
    assert_string_equal(job->methods[1]->name, JOB_SERVICE "/GetJob");
    assert_string_equal(job->methods[1]->request_type, "herald.job.v1.GetJobRequest");
    assert_string_equal(job->methods[1]->summary, "Reads a job.");
    assert_int_equal(job->methods[1]->effect, HERALD__RPC__V1__EFFECT__READ);
    assert_int_equal(job->methods[1]->deadline_ms, 5000);
    assert_int_equal(job->methods[0]->effect, HERALD__RPC__V1__EFFECT__ONCE);
}

static void test_reflection_describe_shows_text_and_descriptors(void **state) {
    struct served *served = *state;
    Herald__Rpc__V1__DescribeRequest request = HERALD__RPC__V1__DESCRIBE_REQUEST__INIT;
    const Herald__Rpc__V1__DescribeResponse *response = NULL;
    request.name = (char *)"GetJobRequest";
    assert_int_equal(herald_rpc_v1_reflection_describe(served->channel, &request, NULL, &served->reply, &response),
                     HERALD_OK);
    assert_string_equal(response->name, "herald.job.v1.GetJobRequest");
    assert_non_null(strstr(response->text, "job_id"));
    assert_true(response->file_descriptor_set.len > 500);
    assert_int_equal(response->file_descriptor_set.data[0], 1 << 3 | 2);
}

static void test_reflection_describe_unknown_name_is_not_found(void **state) {
    struct served *served = *state;
    Herald__Rpc__V1__DescribeRequest request = HERALD__RPC__V1__DESCRIBE_REQUEST__INIT;
    const Herald__Rpc__V1__DescribeResponse *response = NULL;
    request.name = (char *)"NoSuchThing";
    assert_int_equal(herald_rpc_v1_reflection_describe(served->channel, &request, NULL, &served->reply, &response),
                     HERALD_NOT_FOUND);
}

static void test_introspection_info_tells_what_it_is(void **state) {
    struct served *served = *state;
    Herald__Rpc__V1__GetInfoRequest request = HERALD__RPC__V1__GET_INFO_REQUEST__INIT;
    const Herald__Rpc__V1__GetInfoResponse *info = NULL;
    assert_int_equal(herald_rpc_v1_introspection_get_info(served->channel, &request, NULL, &served->reply, &info),
                     HERALD_OK);
    assert_string_equal(info->server, "test-server");
    assert_string_equal(info->version, HERALD_VERSION);
    assert_int_equal(info->pid, (uint32_t)getpid());
    assert_int_equal(info->n_listeners, 1);
    assert_string_equal(info->listeners[0], served->fixture.url);
    assert_int_equal(info->loops, 1);
    assert_int_equal(info->calls_in_flight_limit, served->fixture.settings.rpc_max_in_flight);
    assert_true(info->started_at->seconds > 1700000000);
    assert_true(info->n_libraries >= 3);
    assert_non_null(strstr(info->libraries[0], "nng 1."));
}

static const Herald__Rpc__V1__MethodStats *get_stats(struct served *served, const char *method) {
    Herald__Rpc__V1__GetStatsRequest request = HERALD__RPC__V1__GET_STATS_REQUEST__INIT;
    const Herald__Rpc__V1__GetStatsResponse *response = NULL;
    request.method = (char *)method;
    herald_reply_clear(&served->reply);
    assert_int_equal(herald_rpc_v1_introspection_get_stats(served->channel, &request, NULL, &served->reply, &response),
                     HERALD_OK);
    assert_int_equal(response->n_methods, 1);
    return response->methods[0];
}

static void call_get_job(struct served *served, enum herald_code expected) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const Herald__Job__V1__GetJobResponse *response = NULL;
    request.job_id = (char *)TEST_JOB_ID;
    herald_reply_clear(&served->reply);
    assert_int_equal(herald_job_v1_job_service_get_job(served->channel, &request, NULL, &served->reply, &response),
                     expected);
}

static void test_introspection_stats_count_codes_and_latency(void **state) {
    struct served *served = *state;
    for (int i = 0; i < 3; i++) {
        call_get_job(served, HERALD_OK);
    }
    served->fixture.mode = GET_JOB_FAILS;
    call_get_job(served, HERALD_FAILED_PRECONDITION);
    const Herald__Rpc__V1__MethodStats *stats = get_stats(served, JOB_SERVICE "/GetJob");
    assert_int_equal(stats->n_codes, 2);
    assert_int_equal(stats->codes[0]->code, HERALD_OK);
    assert_int_equal(stats->codes[0]->count, 3);
    assert_int_equal(stats->codes[1]->code, HERALD_FAILED_PRECONDITION);
    assert_int_equal(stats->codes[1]->count, 1);
    uint64_t counted = 0;
    for (size_t i = 0; i < stats->n_latency; i++) {
        counted += stats->latency[i]->count;
    }
    assert_int_equal(counted, 4);
    assert_int_equal(stats->in_flight, 0);
}

static void test_introspection_stats_of_unknown_method_is_not_found(void **state) {
    struct served *served = *state;
    Herald__Rpc__V1__GetStatsRequest request = HERALD__RPC__V1__GET_STATS_REQUEST__INIT;
    const Herald__Rpc__V1__GetStatsResponse *response = NULL;
    request.method = (char *)"herald.job.v1.JobService/GetJib";
    assert_int_equal(herald_rpc_v1_introspection_get_stats(served->channel, &request, NULL, &served->reply, &response),
                     HERALD_NOT_FOUND);
    assert_non_null(strstr(served->reply.error.message, "near names: " JOB_SERVICE "/GetJob"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_health_component_unreported_is_not_serving),
        TEST(test_health_follows_components),
        cmocka_unit_test_setup_teardown(test_health_of_loops_serves_when_all_do, set_up_two_loops, tear_down),
        TEST(test_health_empty_name_lists_all_services),
        TEST(test_health_unknown_service_is_not_found),
        TEST(test_health_draining_server_is_not_serving),
        TEST(test_server_need_of_unknown_service_is_not_found),
        TEST(test_server_listen_twice_on_one_address_says_what_to_do),
        TEST(test_server_listen_beyond_loopback_is_refused),
        TEST(test_server_listen_on_stale_unix_socket_takes_it_over),
        TEST(test_reflection_lists_services_and_methods),
        TEST(test_reflection_describe_shows_text_and_descriptors),
        TEST(test_reflection_describe_unknown_name_is_not_found),
        TEST(test_introspection_info_tells_what_it_is),
        TEST(test_introspection_stats_count_codes_and_latency),
        TEST(test_introspection_stats_of_unknown_method_is_not_found),
    };
    return cmocka_run_group_tests_name("rpc.health", tests, NULL, NULL);
}
