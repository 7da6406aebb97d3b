/*
 * herald-demo: takes a shop's event from the draft to six channels, with the public client library alone. It is also an
 * example of a client: open a channel, fill a request, call the generated stub, read the reply, clear it.
 */
#include "deploy/demo/report.h"
#include "deploy/demo/shops.h"
#include "herald/client.h"
#include "herald/distribution/v1/distribution.schema.h"
#include "herald/event/v1/event.client.h"
#include "herald/event/v1/event.schema.h"
#include "herald/job/v1/job.client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PICTURES_TIMEOUT_S 120

struct demo {
    struct herald_channel *events;
    struct herald_channel *jobs;
    const char *content_dir; /* NULL: not known */
    const struct shop_event *shop;
    struct report report;
    char user_id[64];
    char event_id[37];
    char job_id[37];
    struct herald_reply job_reply; /* holds the finished job */
};

/* Checks the end of a step, and shows its error. Returns: whether it failed; the caller then stops */
static bool step_failed(struct demo *demo, const char *name, enum herald_code code, const struct herald_reply *reply) {
    if (code == HERALD_OK) {
        return false;
    }
    report_failure(&demo->report, name, &reply->error);
    fprintf(stderr, "              what is known of its effect: %s; the call's id in the logs: %s\n",
            herald_outcome_name(reply->outcome), reply->call_id);
    return true;
}

static bool create_event(struct demo *demo) {
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Herald__Event__V1__CreateEventRequest request = HERALD__EVENT__V1__CREATE_EVENT_REQUEST__INIT;
    const Herald__Event__V1__CreateEventResponse *response = NULL;
    struct herald_reply reply = {0};
    store.name = (char *)demo->shop->store_name;
    store.address = (char *)demo->shop->store_address;
    store.phone = (char *)demo->shop->store_phone;
    request.user_id = demo->user_id;
    request.title = (char *)demo->shop->title;
    request.prize = (char *)demo->shop->prize;
    request.brand_color = (char *)demo->shop->brand_color;
    request.store_info = &store;
    report_begin(&demo->report);
    enum herald_code code = herald_event_v1_event_service_create_event(demo->events, &request, NULL, &reply, &response);
    bool failed = step_failed(demo, "CreateEvent", code, &reply);
    if (!failed) {
        snprintf(demo->event_id, sizeof(demo->event_id), "%s", response->event->event_draft_id);
        report_step(&demo->report, "CreateEvent", "draft %s", demo->event_id);
    }
    herald_reply_clear(&reply);
    return !failed;
}

static bool select_objective(struct demo *demo) {
    Herald__Event__V1__SelectObjectiveRequest request = HERALD__EVENT__V1__SELECT_OBJECTIVE_REQUEST__INIT;
    const Herald__Event__V1__SelectObjectiveResponse *response = NULL;
    struct herald_reply reply = {0};
    request.event_draft_id = demo->event_id;
    request.user_id = demo->user_id;
    request.objective = demo->shop->objective;
    report_begin(&demo->report);
    enum herald_code code =
        herald_event_v1_event_service_select_objective(demo->events, &request, NULL, &reply, &response);
    bool failed = step_failed(demo, "SelectObjective", code, &reply);
    if (!failed) {
        report_step(&demo->report, "SelectObjective", "%s", herald_event_v1_objective_name(response->event->objective));
    }
    herald_reply_clear(&reply);
    return !failed;
}

static bool select_recommendation(struct demo *demo) {
    Herald__Event__V1__Recommendation idea = HERALD__EVENT__V1__RECOMMENDATION__INIT;
    Herald__Event__V1__SelectRecommendationRequest request = HERALD__EVENT__V1__SELECT_RECOMMENDATION_REQUEST__INIT;
    const Herald__Event__V1__SelectRecommendationResponse *response = NULL;
    struct herald_reply reply = {0};
    idea.recommendation_id = (char *)demo->shop->idea_id;
    idea.title = (char *)demo->shop->idea_title;
    idea.summary = (char *)demo->shop->idea_summary;
    request.event_draft_id = demo->event_id;
    request.user_id = demo->user_id;
    request.recommendation = &idea;
    report_begin(&demo->report);
    enum herald_code code =
        herald_event_v1_event_service_select_recommendation(demo->events, &request, NULL, &reply, &response);
    bool failed = step_failed(demo, "SelectRecommendation", code, &reply);
    if (!failed) {
        report_step(&demo->report, "SelectRecommendation", "%s", response->event->recommendation->title);
    }
    herald_reply_clear(&reply);
    return !failed;
}

static bool get_purpose(struct demo *demo) {
    Herald__Event__V1__GetPurposeRequest request = HERALD__EVENT__V1__GET_PURPOSE_REQUEST__INIT;
    const Herald__Event__V1__GetPurposeResponse *response = NULL;
    struct herald_reply reply = {0};
    request.user_id = demo->user_id;
    report_begin(&demo->report);
    enum herald_code code = herald_event_v1_event_service_get_purpose(demo->events, &request, NULL, &reply, &response);
    bool failed = step_failed(demo, "GetPurpose", code, &reply);
    if (!failed) {
        report_step(&demo->report, "GetPurpose", "now in the cache, under purpose:%s", demo->user_id);
    }
    herald_reply_clear(&reply);
    return !failed;
}

static bool request_shop_images(struct demo *demo) {
    Herald__Event__V1__RequestImageGenerationRequest request =
        HERALD__EVENT__V1__REQUEST_IMAGE_GENERATION_REQUEST__INIT;
    const Herald__Event__V1__RequestImageGenerationResponse *response = NULL;
    struct herald_reply reply = {0};
    request.event_draft_id = demo->event_id;
    request.user_id = demo->user_id;
    report_begin(&demo->report);
    enum herald_code code =
        herald_event_v1_event_service_request_image_generation(demo->events, &request, NULL, &reply, &response);
    bool failed = step_failed(demo, "RequestImageGeneration", code, &reply);
    if (!failed) {
        snprintf(demo->job_id, sizeof(demo->job_id), "%s", response->job_id);
        report_step(&demo->report, "RequestImageGeneration", "job %s", demo->job_id);
    }
    herald_reply_clear(&reply);
    return !failed;
}

/* Makes one long poll, which ends as soon as the job is newer than @version. The reply stays in demo->job_reply. */
static const Herald__Job__V1__Job *wait_job_once(struct demo *demo, uint64_t version) {
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    const Herald__Job__V1__WaitJobResponse *response = NULL;
    request.job_id = demo->job_id;
    request.version = version;
    request.wait_ms = 10000;
    herald_reply_clear(&demo->job_reply);
    enum herald_code code = herald_job_v1_job_service_wait_job(demo->jobs, &request, NULL, &demo->job_reply, &response);
    if (step_failed(demo, "JobService.WaitJob", code, &demo->job_reply)) {
        return NULL;
    }
    return response->job;
}

static bool wait_for_pictures(struct demo *demo, const Herald__Job__V1__Job **ret_job) {
    time_t deadline = time(NULL) + PICTURES_TIMEOUT_S;
    uint64_t version = 0;
    report_begin(&demo->report);
    for (;;) {
        const Herald__Job__V1__Job *job = wait_job_once(demo, version);
        if (!job) {
            return false;
        }
        report_progress(&demo->report, job);
        version = job->version;
        if (job->status == HERALD__JOB__V1__JOB_STATUS__COMPLETED) {
            report_step(&demo->report, "JobService.WaitJob", "%zu pictures", job->n_pictures);
            *ret_job = job;
            return true;
        }
        if (job->status == HERALD__JOB__V1__JOB_STATUS__FAILED || time(NULL) > deadline) {
            struct herald_error error = {0};
            herald_error_set(&error, HERALD_REASON_NO_PICTURES, "%s",
                             *job->failure ? job->failure : "they are not finished in time; does herald-content run?");
            report_failure(&demo->report, "JobService.WaitJob", &error);
            return false;
        }
    }
}

static bool select_content(struct demo *demo) {
    Herald__Event__V1__SelectContentRequest request = HERALD__EVENT__V1__SELECT_CONTENT_REQUEST__INIT;
    const Herald__Event__V1__SelectContentResponse *response = NULL;
    struct herald_reply reply = {0};
    request.event_draft_id = demo->event_id;
    request.user_id = demo->user_id;
    request.job_id = demo->job_id;
    request.style = demo->shop->style;
    report_begin(&demo->report);
    enum herald_code code =
        herald_event_v1_event_service_select_content(demo->events, &request, NULL, &reply, &response);
    bool failed = step_failed(demo, "SelectContent", code, &reply);
    if (!failed) {
        report_step(&demo->report, "SelectContent", "%s", style_name(response->event->content->style));
    }
    herald_reply_clear(&reply);
    return !failed;
}

static size_t count_accepted_results(const Herald__Event__V1__PublishEventResponse *response) {
    size_t accepted = 0;
    for (size_t i = 0; i < response->n_distribution_results; i++) {
        accepted += response->distribution_results[i]->accepted ? 1 : 0;
    }
    return accepted;
}

static bool publish_event(struct demo *demo) {
    Herald__Distribution__V1__Channel channels[] = {
        HERALD__DISTRIBUTION__V1__CHANNEL__WOORIDONGNE_TV, HERALD__DISTRIBUTION__V1__CHANNEL__RINGO_BIZ,
        HERALD__DISTRIBUTION__V1__CHANNEL__GENIE_TV,       HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM,
        HERALD__DISTRIBUTION__V1__CHANNEL__NAVER_BLOG,     HERALD__DISTRIBUTION__V1__CHANNEL__KAKAO_CHANNEL,
    };
    static_assert(sizeof(channels) / sizeof(channels[0]) == HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1,
                  "the demo publishes to each channel of the schema");
    Herald__Event__V1__PublishEventRequest request = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    const Herald__Event__V1__PublishEventResponse *response = NULL;
    struct herald_reply reply = {0};
    request.event_draft_id = demo->event_id;
    request.user_id = demo->user_id;
    request.n_selected_channels = sizeof(channels) / sizeof(channels[0]);
    request.selected_channels = channels;
    report_begin(&demo->report);
    enum herald_code code =
        herald_event_v1_event_service_publish_event(demo->events, &request, NULL, &reply, &response);
    bool done = !step_failed(demo, "PublishEvent", code, &reply);
    if (done) {
        size_t accepted = count_accepted_results(response);
        report_step(&demo->report, "PublishEvent", "accepted by %zu of %zu channels", accepted,
                    request.n_selected_channels);
        report_channels((const Herald__Distribution__V1__ChannelResult *const *)response->distribution_results,
                        response->n_distribution_results);
        done = accepted == request.n_selected_channels;
        if (response->reason[0] != '\0') {
            fprintf(stderr, "%s: %s\n", response->reason, response->message);
        }
        if (!done) {
            fprintf(stderr,
                    "Not every channel has accepted the event; Herald keeps trying where it can:\n"
                    "  heraldctl deliveries %s\n",
                    demo->event_id);
        }
    }
    herald_reply_clear(&reply);
    return done;
}

static bool get_event(struct demo *demo) {
    Herald__Event__V1__GetEventRequest request = HERALD__EVENT__V1__GET_EVENT_REQUEST__INIT;
    const Herald__Event__V1__GetEventResponse *response = NULL;
    struct herald_reply reply = {0};
    request.event_draft_id = demo->event_id;
    request.user_id = demo->user_id;
    putchar('\n');
    report_begin(&demo->report);
    enum herald_code code = herald_event_v1_event_service_get_event(demo->events, &request, NULL, &reply, &response);
    bool done = !step_failed(demo, "GetEvent", code, &reply);
    if (done) {
        done = response->event->status == HERALD__EVENT__V1__EVENT_STATUS__ACTIVE;
        report_step(&demo->report, "GetEvent", "%s", done ? "ACTIVE" : "not ACTIVE, which it should be");
    }
    herald_reply_clear(&reply);
    return done;
}

static bool run_demo(struct demo *demo) {
    const Herald__Job__V1__Job *job = NULL;
    printf("%s · %s\n%s\n\n", demo->shop->store_name, demo->shop->title, demo->shop->prize);
    return create_event(demo) && select_objective(demo) && select_recommendation(demo) && get_purpose(demo) &&
           request_shop_images(demo) && wait_for_pictures(demo, &job) && select_content(demo) && publish_event(demo) &&
           get_event(demo) && report_pictures(job, demo->content_dir);
}

/* Opens the key that signs calls, if the environment names one. */
static enum herald_code open_credential(struct herald_credential **ret_credential, struct herald_error *reterr) {
    const char *key_id = getenv("HERALD_AUTH_KEY_ID"), *key_file = getenv("HERALD_AUTH_KEY_FILE");
    return key_id && key_file ? herald_credential_hmac_file(key_id, key_file, ret_credential, reterr) : HERALD_OK;
}

static bool open_channel(const char *variable, const char *fallback, struct herald_channel **ret_channel) {
    const char *url = getenv(variable);
    const struct herald_tls_options tls = {.ca_file = getenv("HERALD_TLS_CA_FILE"),
                                           .cert_file = getenv("HERALD_TLS_CERT_FILE"),
                                           .key_file = getenv("HERALD_TLS_KEY_FILE")};
    struct herald_channel_options options = {.tls = tls.ca_file ? &tls : NULL};
    struct herald_error error = {0};
    enum herald_code code = open_credential(&options.credential, &error);
    if (code == HERALD_OK) {
        code = herald_channel_open(url ? url : fallback, &options, ret_channel, &error);
    }
    herald_credential_unref(options.credential);
    if (code != HERALD_OK) {
        fprintf(stderr, "herald-demo: %s: %s\n", variable, error.message);
    }
    return code == HERALD_OK;
}

/* Makes each run another owner's event: a new user id, and one shop after the other. */
static void choose_shop(struct demo *demo) {
    char uuid[37];
    herald_uuid7(uuid);
    snprintf(demo->user_id, sizeof(demo->user_id), "demo-%s", uuid);
    demo->shop = shop_event_pick((unsigned)strtoul(uuid + 24, NULL, 16));
}

int main(int argc, char **argv) {
    struct demo demo = {0};
    if (argc > 1) {
        fprintf(
            argv[1][0] == '-' && strcmp(argv[1], "--help") == 0 ? stdout : stderr,
            "Usage: herald-demo\nTakes a shop's event from the draft to six channels, on the servers at "
            "HERALD_EVENT_URL and HERALD_JOB_URL\n(tcp://127.0.0.1:7101 and 7102), and prints each step with its "
            "time. With HERALD_CONTENT_DIR it looks for the pictures' files, too; with HERALD_HTTP_URL it\nprints the "
            "console's address of the event.\nExit status: 0 done, 1 a step "
            "failed, 64 wrong usage.\n");
        return strcmp(argv[1], "--help") == 0 ? 0 : 64;
    }
    choose_shop(&demo);
    demo.content_dir = getenv("HERALD_CONTENT_DIR");
    report_init(&demo.report);
    bool done = open_channel("HERALD_EVENT_URL", "tcp://127.0.0.1:7101", &demo.events) &&
                open_channel("HERALD_JOB_URL", "tcp://127.0.0.1:7102", &demo.jobs) && run_demo(&demo);
    if (done) {
        report_total(&demo.report, demo.user_id, demo.event_id, getenv("HERALD_HTTP_URL"));
    }
    herald_reply_clear(&demo.job_reply);
    herald_channel_close(demo.jobs);
    herald_channel_close(demo.events);
    return done ? 0 : 1;
}
