/* The adapter of Instagram against the fake one: each fault of each step ends with the post made, once. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/channel_state.h"
#include "server/distribution/decide.h"
#include "server/programs/settings.h"
#include "tests/unit/outgoing/fakes_exchange.h"
#include "tests/unit/runtime/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE(name)  HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define TOKEN        "IGAAoftheconfiguration"
#define ROUNDS_MOST  3000
#define TIMEOUT_MS   400 /* short: some faults are answered never */
#define CONTAINER_MS 20

/* A fault: what one or more requests of a step meet. */
struct fault {
    enum fake_step step;
    enum fake_mode mode;
    struct fake_error error;
    bool meets_unknown; /* the outcome is in doubt for a while */
};
#define FAIL(status, code, subcode) FAKE_FAIL, {status, code, subcode, ""}
#define SAYS_NOTHING                {0}

static const struct fault FAULTS[] = {
    {FAKE_STEP_LIMIT, FAKE_OK, SAYS_NOTHING, false},
    {FAKE_STEP_REFRESH, FAKE_RESET, SAYS_NOTHING, false},
    {FAKE_STEP_REFRESH, FAKE_STALL, SAYS_NOTHING, false},
    {FAKE_STEP_REFRESH, FAKE_NOT_JSON, SAYS_NOTHING, false},
    {FAKE_STEP_LIMIT, FAKE_DROP, SAYS_NOTHING, false},
    {FAKE_STEP_LIMIT, FAKE_NOT_JSON, SAYS_NOTHING, false},
    {FAKE_STEP_LIMIT, FAIL(400, "4", 0), false},
    {FAKE_STEP_LIMIT, FAKE_QUOTA_FULL, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA, FAKE_RESET, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA, FAKE_HANG, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA, FAKE_NUMERIC_ID, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA, FAKE_NO_ID, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA, FAKE_NOT_JSON, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA, FAKE_CONTAINER_ERROR, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA, FAKE_CONTAINER_EXPIRED, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA, FAIL(400, "-2", 2207003), false},
    {FAKE_STEP_MEDIA, FAIL(400, "-1", 2207032), false},
    {FAKE_STEP_MEDIA, FAIL(400, "9004", 2207052), false},
    {FAKE_STEP_MEDIA, FAKE_TOKEN_EXPIRED, SAYS_NOTHING, false},
    {FAKE_STEP_STATUS, FAKE_DROP, SAYS_NOTHING, false},
    {FAKE_STEP_STATUS, FAKE_NOT_JSON, SAYS_NOTHING, false},
    {FAKE_STEP_STATUS, FAIL(500, "2", 0), false},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_HANG, SAYS_NOTHING, true},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_STALL, SAYS_NOTHING, true},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_DROP, SAYS_NOTHING, true},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_RESET, SAYS_NOTHING, true},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_RESET_AFTER, SAYS_NOTHING, true},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_CUT, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_BAD_CHUNK, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_NOT_JSON, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_NUMERIC_ID, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_NO_ID, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_QUOTA_FULL, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA_PUBLISH, FAKE_TOKEN_EXPIRED, SAYS_NOTHING, false},
    {FAKE_STEP_MEDIA_PUBLISH, FAIL(400, "17", 0), false},
    {FAKE_STEP_MEDIA_PUBLISH, FAIL(400, "-2", 2207020), false},
    {FAKE_STEP_MEDIA_PUBLISH, FAIL(400, "-1", 2207001), true},
    {FAKE_STEP_MEDIA_PUBLISH, FAIL(400, "24", 2207008), true},
    {FAKE_STEP_MEDIA_PUBLISH, FAIL(502, "", 0), true},
};

/* One delivery, driven as the engine does, but without its waits. */
struct story {
    struct adapter_delivery delivery;
    struct loop *loop;
    int state;
    bool settled, met_unknown;
    uint32_t failures;
    char step_id[64], remote_id[64], message[256]; /* message: of the last answer */
};

static void take_answer(struct story *story, enum delivery_step step, const struct channel_answer *answer,
                        struct decision *ret_decision) {
    *ret_decision = decide(&(struct decision_input){
        .step = step,
        .meaning = answer->meaning,
        .failures = story->failures,
        .can_look_up = true,
        .backoff_min_ms = 1,
        .backoff_max_ms = 1,
    });
    story->state = ret_decision->state;
    story->settled = ret_decision->settled;
    story->met_unknown = story->met_unknown || story->state == STATE(OUTCOME_UNKNOWN);
    if (ret_decision->drops_step) {
        story->step_id[0] = '\0';
    } else if (answer->step_id[0] != '\0' && answer->step_id != story->step_id) {
        snprintf(story->step_id, sizeof(story->step_id), "%s", answer->step_id);
    }
    snprintf(story->message, sizeof(story->message), "%.255s", answer->message);
    if (answer->remote_id[0] != '\0') { /* of a container its step_id */
        snprintf(story->remote_id, sizeof(story->remote_id), "%s", answer->remote_id);
    }
}

TASK_FN static void play_round(struct story *story) {
    const struct adapter *adapter = &instagram_adapter;
    struct decision decision;
    story->delivery.step_id = story->step_id;
    if (story->state == STATE(OUTCOME_UNKNOWN)) {
        struct channel_answer seen = adapter->look_up(&story->delivery);
        take_answer(story, STEP_LOOK_UP, &seen, &decision);
        return;
    }
    struct channel_answer prepared = adapter->prepare(&story->delivery);
    take_answer(story, STEP_PREPARE, &prepared, &decision);
    if (decision.goes_on) {
        struct channel_answer answer = adapter->commit(&story->delivery);
        take_answer(story, STEP_COMMIT, &answer, &decision);
    }
}

static void play_story(void *arg) {
    struct story *story = arg;
    assert_int_equal(http_open(story->loop, &story->delivery.http, NULL), HERALD_OK);
    for (unsigned i = 0; i < ROUNDS_MOST && !story->settled; i++) {
        play_round(story);
        if (task_sleep(2, NULL) != HERALD_OK) {
            break;
        }
    }
    http_close(story->delivery.http);
}

static void run_story(struct story *story, struct channel_state *state, const struct channel_setup *setup,
                      const char *event_id) {
    Herald__Distribution__V1__Content content = HERALD__DISTRIBUTION__V1__CONTENT__INIT;
    struct call call;
    content.title = (char *)"반값 행사";
    content.jpeg_url = (char *)"https://cdn.example/content/0123456789abcdef0123456789abcdef/simple.jpg";
    *story = (struct story){
        .delivery = {.row = channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM),
                     .setup = setup,
                     .state = state,
                     .event_id = event_id,
                     .owner = "owner",
                     .content = &content,
                     .key = "evt_0"},
        .state = STATE(PREPARING),
    };
    call_init(&call, "test", NULL, 100000, (size_t)64 << 20);
    assert_int_equal(loop_new(0, &story->loop, NULL), HERALD_OK);
    assert_int_equal(task_spawn(story->loop, &call, "story", play_story, story, NULL), HERALD_OK);
    loop_stop(story->loop);
    loop_run(story->loop);
    loop_free(story->loop);
    call_fini(&call);
}

static void behave(const struct fault *fault) {
    static const struct fake_behaviour WELL = {.step = FAKE_ANY_STEP, .latency = {.kind = FAKE_LATENCY_FIXED}};
    struct fake_behaviour behaviour = WELL;
    fake_channels_set(fakes_channels(exchange_fakes), FAKE_INSTAGRAM, WELL);
    behaviour.step = fault->step;
    behaviour.mode = fault->mode;
    behaviour.error = fault->error;
    behaviour.count = 1;
    fake_channels_set(fakes_channels(exchange_fakes), FAKE_INSTAGRAM, behaviour);
}

/* A state that has not read the quota and knows no token, and how the fake channel is reached. */
static struct channel_state **fresh_states(struct channel_setup *ret_setup, char url[128]) {
    struct settings settings;
    struct channel_state **states = NULL;
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    assert_int_equal(channel_states_new(&settings, &states, NULL), HERALD_OK);
    settings_fini(&settings);
    snprintf(url, 128, "%s/graph/v21.0", fakes_url(exchange_fakes));
    *ret_setup = (struct channel_setup){
        .url = url,
        .base = "",
        .secret = TOKEN,
        .account = "17841400000000000",
        .key = "",
        .sender = "",
        .option = "",
        .timeout_ms = TIMEOUT_MS,
    };
    return states;
}

static void check_story(size_t number, const struct story *story, const char *event_id) {
    char of_event[96], of_container[96];
    snprintf(of_event, sizeof(of_event), "\"event_id\":\"%s\"", event_id);
    snprintf(of_container, sizeof(of_container), "\"container\":\"%s\"", story->step_id);
    if (!story->settled || story->state != STATE(PUBLISHED) || exchange_count_lines("/log", of_event) != 1 ||
        exchange_count_lines("/log", of_container) != 1 || story->remote_id[0] == '\0' ||
        (FAULTS[number].meets_unknown && !story->met_unknown)) {
        fail_msg("fault %zu (%s %s): state %d, posts %d, remote id %s, unknown %d: %s", number,
                 fake_step_name(FAULTS[number].step), fake_mode_name(FAULTS[number].mode), story->state,
                 exchange_count_lines("/log", of_event), story->remote_id, story->met_unknown, story->message);
    }
}

static void test_instagram_each_fault_ends_with_one_post(void **state) {
    (void)state;
    const size_t count = sizeof(FAULTS) / sizeof(FAULTS[0]);
    exchange_start((struct fakes_options){.instagram_token = TOKEN, .container_ms = CONTAINER_MS});
    for (size_t i = 0; i < count; i++) {
        struct channel_setup setup;
        struct story story;
        char url[128], event_id[40];
        struct channel_state **states = fresh_states(&setup, url);
        snprintf(event_id, sizeof(event_id), "018f0000-0000-7000-8000-%012zu", i);
        behave(&FAULTS[i]);
        run_story(&story, states[channel_index(channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM))], &setup,
                  event_id);
        check_story(i, &story, event_id);
        channel_states_free(states);
    }
    assert_int_equal(exchange_count_lines("/log", "\"duplicate\":true"), 0);
    exchange_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instagram_each_fault_ends_with_one_post),
    };
    return cmocka_run_group_tests_name("distribution.instagram_fakes", tests, NULL, NULL);
}
