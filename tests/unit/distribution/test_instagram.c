/* The adapter of Instagram against a peer that plays the Graph API: what is sent, and what each answer means. */
#include "scripted_peer.h"
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/channel_state.h"
#include "server/programs/settings.h"
#include "tests/unit/runtime/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN     "IGAAconfigured0123456789"
#define RENEWED   "IGAArenewed9876543210"
#define EVENT     "018f0000-0000-7000-8000-000000000001"
#define CONTAINER "17889455560051444"
#define MEDIA     "18012345678901234567890123" /* more digits than 64 bits hold */
#define KEY_URL   "https://cdn.example/content/0123456789abcdef0123456789abcdef/simple"

#define REFRESH     "GET /graph/refresh_access_token?grant_type=ig_refresh_token "
#define LIMIT       "GET /graph/v21.0/178/content_publishing_limit?fields=config,quota_usage "
#define MAKE        "POST /graph/v21.0/178/media "
#define LOOK        "GET /graph/v21.0/" CONTAINER "?fields=status_code,status "
#define PUBLISH     "POST /graph/v21.0/178/media_publish "
#define NOT_RENEWED {REFRESH, 400, NULL, "{\"error\":{\"code\":100}}", 0}
#define QUOTA(used)                                                                                                    \
    {LIMIT, 200, NULL,                                                                                                 \
     "{\"data\":[{\"quota_usage\":" #used ",\"config\":{\"quota_total\":100,\"quota_duration\":86400}}]}", 0}
#define MADE         {MAKE, 200, NULL, "{\"id\":" CONTAINER "}", 0}
#define STATUS(word) {LOOK, 200, NULL, "{\"status_code\":\"" #word "\",\"id\":\"" CONTAINER "\"}", 0}
#define END          {NULL, 0, NULL, NULL, 0}

/* One or more steps, each with what came of it. */
struct scene {
    const struct adapter_delivery *delivery;
    TASK_FN struct channel_answer (*steps[4])(const struct adapter_delivery *delivery);
    const char *step_ids[4];
    struct channel_answer answers[4]; /* copies; their strings are freed by scene_end() */
    char *strings[16];
    size_t string_count;
    char token[CHANNEL_TOKEN_BYTES]; /* known after the steps */
    bool token_is_kept;              /* what is known is not to be renewed now */
    uint32_t quota_used, quota_total;
    int64_t began_us;

    struct scripted_peer *peer;
    struct channel_state **states;
    struct loop *loop;
};

static const char *keep(struct scene *scene, const char *text) {
    assert_non_null(text);
    scene->strings[scene->string_count] = strdup(text);
    return scene->strings[scene->string_count++];
}

static void play_steps(void *arg) {
    struct scene *scene = arg;
    struct http *http = NULL;
    assert_int_equal(http_open(scene->loop, &http, NULL), HERALD_OK);
    for (size_t i = 0; scene->steps[i] != NULL; i++) {
        struct adapter_delivery delivery = *scene->delivery;
        delivery.http = http;
        delivery.step_id = scene->step_ids[i] != NULL ? scene->step_ids[i] : "";
        struct channel_answer answer = scene->steps[i](&delivery);
        answer.message = keep(scene, answer.message);
        answer.remote_id = keep(scene, answer.remote_id);
        answer.step_id = keep(scene, answer.step_id);
        answer.post_url = keep(scene, answer.post_url);
        scene->answers[i] = answer;
    }
    http_close(http);
}

/* Plays the steps against the script. */
static void play(struct scene *scene, const struct scripted *script, const char *url_end) {
    static Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Herald__Distribution__V1__Content content = HERALD__DISTRIBUTION__V1__CONTENT__INIT;
    struct settings settings;
    struct call call;
    char url[128];
    store.name = (char *)"가게";
    content.title = (char *)"여름 & 행사";
    content.prize = (char *)"커피";
    content.text = (char *)"오세요 #여름 100%";
    content.store_info = &store;
    content.png_url = (char *)KEY_URL ".png";
    content.jpeg_url = (char *)KEY_URL ".jpg";
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    assert_int_equal(channel_states_new(&settings, &scene->states, NULL), HERALD_OK);
    scene->peer = scripted_peer_start(script);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/graph/v21.0%s", scripted_peer_port(scene->peer), url_end);
    const struct channel_row *row = channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM);
    const struct channel_setup setup = {
        .url = url,
        .base = "",
        .secret = TOKEN,
        .account = "178",
        .key = "",
        .sender = "",
        .option = "",
        .timeout_ms = 20000,
    };
    const struct adapter_delivery delivery = {
        .row = row,
        .setup = &setup,
        .state = scene->states[channel_index(row)],
        .event_id = EVENT,
        .owner = "owner",
        .content = &content,
        .key = "evt_0",
        .step_id = "",
    };
    scene->delivery = &delivery;
    if (scene->token_is_kept) {
        assert_true(channel_token_set(delivery.state, TOKEN, INT64_MAX));
    }
    if (scene->quota_total != 0) {
        channel_quota_set(delivery.state, scene->quota_used, scene->quota_total);
    }
    scene->began_us = clock_wall_us();
    call_init(&call, "test", NULL, 30000, 0);
    assert_int_equal(loop_new(0, &scene->loop, NULL), HERALD_OK);
    assert_int_equal(task_spawn(scene->loop, &call, "steps", play_steps, scene, NULL), HERALD_OK);
    loop_stop(scene->loop);
    loop_run(scene->loop);
    loop_free(scene->loop);
    call_fini(&call);
    (void)channel_token(delivery.state, scene->token);
    (void)channel_quota(delivery.state, UINT32_MAX, &scene->quota_used, &scene->quota_total);
    scripted_peer_stop(scene->peer);
    scripted_peer_check(scene->peer);
    channel_states_free(scene->states);
    settings_fini(&settings);
}

static void scene_end(struct scene *scene) {
    for (size_t i = 0; i < scene->string_count; i++) {
        free(scene->strings[i]);
    }
    scripted_peer_free(scene->peer);
}

static struct scene scene_of(TASK_FN struct channel_answer (*step)(const struct adapter_delivery *), const char *id) {
    return (struct scene){.steps = {step}, .step_ids = {id}, .token_is_kept = true};
}

static void assert_answer(const struct channel_answer *answer, enum meaning meaning, enum herald_reason reason,
                          const char *step_id) {
    assert_int_equal(answer->meaning, meaning);
    assert_int_equal(answer->reason, reason);
    assert_string_equal(answer->step_id, step_id);
    assert_null(strstr(answer->message, TOKEN));
    assert_null(strstr(answer->message, RENEWED));
}

static void assert_has(const char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        fail_msg("%s is not in %s", part, text);
    }
}

/* ---- a post from its beginning to its end ---- */

static void test_instagram_a_post_takes_its_steps(void **state) {
    (void)state;
    static const struct scripted SCRIPT[] = {
        {REFRESH, 200, NULL, "{\"access_token\":\"" RENEWED "\",\"expires_in\":5183944}", 0},
        QUOTA(2),
        MADE,
        STATUS(IN_PROGRESS),
        STATUS(FINISHED),
        {PUBLISH, 200, NULL, "{\"id\":" MEDIA "}", 0},
        END,
    };
    struct scene scene = {
        .steps = {instagram_adapter.prepare, instagram_adapter.prepare, instagram_adapter.commit},
        .step_ids = {NULL, CONTAINER, CONTAINER},
    };
    play(&scene, SCRIPT, "//");
    assert_answer(&scene.answers[0], MEANS_NOT_YET, HERALD_REASON_CHANNEL_WORKING, CONTAINER);
    assert_answer(&scene.answers[1], MEANS_PREPARED, HERALD_REASON_NONE, CONTAINER);
    assert_int_equal(scene.answers[2].meaning, MEANS_ACCEPTED);
    assert_string_equal(scene.answers[2].remote_id, MEDIA);
    assert_int_equal(scene.quota_used, 3); /* the post counts */
    assert_has(scripted_peer_request(scene.peer, 0), "uthorization: Bearer " TOKEN "\r\n");
    for (size_t i = 1; i < 6; i++) {
        assert_has(scripted_peer_request(scene.peer, i), "uthorization: Bearer " RENEWED "\r\n");
        assert_has(scripted_peer_request(scene.peer, i), "x-herald-event: " EVENT "\r\n");
    }
    assert_string_equal(scene.token, RENEWED);
    const char *made = scripted_peer_request(scene.peer, 2);
    assert_has(made, "content-type: application/x-www-form-urlencoded\r\n");
    assert_has(made, "\r\n\r\nimage_url=https%3A%2F%2Fcdn.example%2Fcontent%2F0123456789abcdef0123456789abcdef%2F"
                     "simple.square.jpg&caption=");
    assert_has(made, "%EC%97%AC%EB%A6%84%20%26%20%ED%96%89%EC%82%AC"); /* the title, in the caption */
    assert_has(made, "%20%23%EC%97%AC%EB%A6%84%20100%25");             /* the text's end */
    assert_has(made, "&alt_text=%EC%97%AC");
    assert_has(scripted_peer_request(scene.peer, 5), "\r\n\r\ncreation_id=" CONTAINER);
    scene_end(&scene);
}

/* ---- the token ---- */

static void test_instagram_renewal_that_fails_keeps_no_post(void **state) {
    (void)state;
    static const struct scripted SCRIPT[] = {
        {REFRESH, 0, NULL, NULL, 0}, QUOTA(2), MADE, STATUS(FINISHED), STATUS(FINISHED), END};
    struct scene scene = {.steps = {instagram_adapter.prepare, instagram_adapter.prepare},
                          .step_ids = {NULL, CONTAINER}};
    play(&scene, SCRIPT, "");
    assert_answer(&scene.answers[0], MEANS_PREPARED, HERALD_REASON_NONE, CONTAINER);
    assert_answer(&scene.answers[1], MEANS_PREPARED, HERALD_REASON_NONE, CONTAINER);
    assert_string_equal(scene.token, TOKEN);
    scene_end(&scene);
}

/* A renewed token that is refused gives way to the configured one, which may be newer than its descendant. */
static void test_instagram_refused_token_gives_way(void **state) {
    (void)state;
    static const struct scripted SCRIPT[] = {
        {REFRESH, 200, NULL, "{\"access_token\":\"" RENEWED "\",\"expires_in\":5183944}", 0},
        {LIMIT, 400, NULL,
         "{\"error\":{\"code\":190,\"message\":\"Malformed access token " RENEWED "\",\"fbtrace_id\":\"A1\"}}", 0},
        QUOTA(2),
        MADE,
        STATUS(FINISHED),
        END,
    };
    struct scene scene = {.steps = {instagram_adapter.prepare, instagram_adapter.prepare}};
    play(&scene, SCRIPT, "");
    assert_answer(&scene.answers[0], MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH, "");
    assert_has(scene.answers[0].message, "HTTP status 400, code 190: fbtrace_id A1");
    assert_answer(&scene.answers[1], MEANS_PREPARED, HERALD_REASON_NONE, CONTAINER);
    assert_has(scripted_peer_request(scene.peer, 2), "uthorization: Bearer " TOKEN "\r\n");
    scene_end(&scene);
}

static void test_instagram_messages_never_hold_the_token(void **state) {
    (void)state;
    static const struct scripted SCRIPT[] = {
        QUOTA(2), {MAKE, 400, NULL, "{\"error\":{\"code\":100,\"message\":\"bad: " TOKEN "\"}}", 0}, END};
    struct scene scene = scene_of(instagram_adapter.prepare, NULL);
    play(&scene, SCRIPT, "");
    assert_answer(&scene.answers[0], MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED, "");
    assert_null(strstr(scene.answers[0].message, "IGAA"));
    scene_end(&scene);
}

/* ---- prepare ---- */

static void test_instagram_full_quota_defers(void **state) {
    (void)state;
    static const struct scripted SCRIPT[] = {QUOTA(100), END};
    struct scene scene = scene_of(instagram_adapter.prepare, NULL);
    play(&scene, SCRIPT, "");
    assert_answer(&scene.answers[0], MEANS_QUOTA, HERALD_REASON_QUOTA, "");
    int64_t wait_us = scene.answers[0].retry_at_us - scene.began_us; /* a post's share of the day, and half of it */
    assert_true(wait_us >= 864 * 1000000ll && wait_us < 1400 * 1000000ll);
    scene_end(&scene);
}

static void test_instagram_quota_is_read_when_it_may_be_near(void **state) {
    (void)state;
    static const struct scripted FAR[] = {MADE, STATUS(FINISHED), END},
                                 NEAR[] = {QUOTA(91), MADE, STATUS(FINISHED), END};
    struct scene scene = scene_of(instagram_adapter.prepare, NULL);
    scene.quota_used = 89;
    scene.quota_total = 100;
    play(&scene, FAR, "");
    assert_answer(&scene.answers[0], MEANS_PREPARED, HERALD_REASON_NONE, CONTAINER);
    scene_end(&scene);
    scene = scene_of(instagram_adapter.prepare, NULL);
    scene.quota_used = 90;
    scene.quota_total = 100;
    play(&scene, NEAR, "");
    assert_answer(&scene.answers[0], MEANS_PREPARED, HERALD_REASON_NONE, CONTAINER);
    scene_end(&scene);
}

static void test_instagram_container_without_readable_id_is_made_again(void **state) {
    (void)state;
    static const char *const BODIES[] = {"", "<html>", "{\"id\":17889", "{}", "{\"id\":null}", "{\"id\":\"17/../x\"}"};
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        const struct scripted script[] = {QUOTA(2), {MAKE, 200, NULL, BODIES[i], 0}, END};
        struct scene scene = scene_of(instagram_adapter.prepare, NULL);
        play(&scene, script, "");
        assert_answer(&scene.answers[0], MEANS_RETRY, HERALD_REASON_CHANNEL_ERROR, "");
        scene_end(&scene);
    }
}

/* What a container's status means, when it is looked at before the post and after a lost answer. */
static void test_instagram_each_status_in_prepare_and_look_up(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum meaning prepare, look_up;
        const char *remote_id;
    } ROWS[] = {
        {200, "{\"status_code\":\"FINISHED\"}", MEANS_PREPARED, MEANS_NOT_THERE, ""},
        {200, "{\"status_code\":\"IN_PROGRESS\"}", MEANS_NOT_YET, MEANS_NOT_YET, ""},
        {200, "{\"status_code\":\"PUBLISHED\"}", MEANS_ACCEPTED, MEANS_ACCEPTED, CONTAINER},
        {200, "{\"status_code\":\"EXPIRED\"}", MEANS_RENEW, MEANS_RENEW, ""},
        {200, "{\"status_code\":\"ERROR\"}", MEANS_RENEW, MEANS_RENEW, ""},
        {200, "{\"status_code\":\"ERROR\",\"status\":\"Error: code 2207009\"}", MEANS_REJECT, MEANS_REJECT, ""},
        {200, "PUBLISHED", MEANS_RETRY, MEANS_RETRY, ""},
        /* A refusal says nothing about the post, and may say something about the channel. */
        {400, "{\"error\":{\"code\":100,\"error_subcode\":33}}", MEANS_RENEW, MEANS_UNKNOWN, ""},
        {400, "{\"error\":{\"code\":36000,\"error_subcode\":2207004}}", MEANS_REJECT, MEANS_UNKNOWN, ""},
        {400, "{\"error\":{\"code\":4}}", MEANS_THROTTLE, MEANS_THROTTLE, ""},
        {404, "", MEANS_RETRY, MEANS_RETRY, ""},
        {500, "", MEANS_RETRY, MEANS_RETRY, ""},
        {0, NULL, MEANS_RETRY, MEANS_RETRY, ""},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const struct scripted script[] = {
            {LOOK, ROWS[i].status, NULL, ROWS[i].body, 0}, {LOOK, ROWS[i].status, NULL, ROWS[i].body, 0}, END};
        struct scene scene = {.steps = {instagram_adapter.prepare, instagram_adapter.look_up},
                              .step_ids = {CONTAINER, CONTAINER},
                              .token_is_kept = true,
                              .quota_total = 100};
        play(&scene, script, "");
        assert_int_equal(scene.answers[0].meaning, ROWS[i].prepare);
        assert_int_equal(scene.answers[1].meaning, ROWS[i].look_up);
        assert_string_equal(scene.answers[0].remote_id, ROWS[i].remote_id);
        assert_string_equal(scene.answers[1].remote_id, ROWS[i].remote_id);
        assert_string_equal(scene.answers[1].step_id, CONTAINER);
        scene_end(&scene);
    }
}

/* ---- commit ---- */

/* The status line decides, whatever the body. */
static void test_instagram_2xx_accepts_whatever_the_body(void **state) {
    (void)state;
    static const struct {
        const char *body;
        size_t claimed;
        const char *remote_id;
    } ROWS[] = {
        {"{\"id\":\"" MEDIA "\"}", 0, MEDIA},
        {"", 0, CONTAINER},
        {"<html>it went well</html>", 0, CONTAINER},
        {"{\"error\":{\"code\":190}}", 0, CONTAINER},
        {"{\"id\":\"180", 5000, CONTAINER}, /* cut */
        {"{\"id\":[]}", 0, CONTAINER},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const struct scripted script[] = {{PUBLISH, 200, NULL, ROWS[i].body, ROWS[i].claimed}, END};
        struct scene scene = scene_of(instagram_adapter.commit, CONTAINER);
        play(&scene, script, "");
        assert_int_equal(scene.answers[0].meaning, MEANS_ACCEPTED);
        assert_string_equal(scene.answers[0].remote_id, ROWS[i].remote_id);
        scene_end(&scene);
    }
}

static void test_instagram_lost_publish_is_unknown(void **state) {
    (void)state;
    static const struct scripted SCRIPT[] = {
        {PUBLISH, 0, NULL, NULL, 0},
        {PUBLISH, 502, NULL, "<html>", 0},
        {PUBLISH, 400, NULL, "{\"error\":{\"code\":9007,\"error_subcode\":2207027}}", 0},
        END};
    struct scene scene = {.steps = {instagram_adapter.commit, instagram_adapter.commit, instagram_adapter.commit},
                          .step_ids = {CONTAINER, CONTAINER, CONTAINER},
                          .token_is_kept = true};
    play(&scene, SCRIPT, "");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scene.answers[i].meaning, MEANS_UNKNOWN);
    }
    assert_int_equal(scene.answers[0].reason, HERALD_REASON_CHANNEL_LOST);
    scene_end(&scene);
}

static void test_instagram_refused_publish_keeps_the_channels_time(void **state) {
    (void)state;
    static const struct scripted SCRIPT[] = {
        {PUBLISH, 400, "retry-after: 7200\r\n", "{\"error\":{\"code\":4,\"is_transient\":true}}", 0},
        {PUBLISH, 400, NULL, "{\"error\":{\"code\":9,\"error_subcode\":2207042}}", 0},
        {PUBLISH, 403, "x-business-use-case-usage: {\"178\":[{\"estimated_time_to_regain_access\":90}]}\r\n",
         "{\"error\":{\"code\":80002}}", 0},
        END};
    struct scene scene = {.steps = {instagram_adapter.commit, instagram_adapter.commit, instagram_adapter.commit},
                          .step_ids = {CONTAINER, CONTAINER, CONTAINER},
                          .token_is_kept = true};
    play(&scene, SCRIPT, "");
    assert_int_equal(scene.answers[0].meaning, MEANS_THROTTLE);
    assert_true(scene.answers[0].retry_at_us >= scene.began_us + 7190 * 1000000ll);
    assert_int_equal(scene.answers[1].meaning, MEANS_QUOTA);
    assert_true(scene.answers[1].retry_at_us >= scene.began_us + 60 * 1000000ll);
    assert_int_equal(scene.answers[2].meaning, MEANS_THROTTLE);
    assert_true(scene.answers[2].retry_at_us >= scene.began_us + 5400 * 1000000ll);
    scene_end(&scene);
}

static void test_instagram_nothing_is_published_without_a_container(void **state) {
    (void)state;
    static const struct scripted SCRIPT[] = {END};
    struct scene scene = {.steps = {instagram_adapter.commit, instagram_adapter.look_up}, .token_is_kept = true};
    play(&scene, SCRIPT, "");
    assert_int_equal(scene.answers[0].meaning, MEANS_RENEW);
    assert_int_equal(scene.answers[1].meaning, MEANS_UNKNOWN);
    scene_end(&scene);
}

static void test_instagram_is_configured_with_account_and_token(void **state) {
    (void)state;
    struct channel_setup setup = {.url = "http://x", .account = "1", .secret = "t"};
    assert_true(instagram_adapter.is_configured(&setup));
    setup.secret = "";
    assert_false(instagram_adapter.is_configured(&setup));
    setup = (struct channel_setup){.url = "http://x", .account = "", .secret = "t"};
    assert_false(instagram_adapter.is_configured(&setup));
}

/* ---- preview ---- */

struct shown {
    char requests[4096], caption[512], picture[256];
    size_t request_count, problem_count;
};

static void preview_body(void *arg) {
    struct shown *shown = arg;
    Herald__Distribution__V1__GetDeliveryPreviewResponse response =
        HERALD__DISTRIBUTION__V1__GET_DELIVERY_PREVIEW_RESPONSE__INIT;
    Herald__Distribution__V1__Content content = HERALD__DISTRIBUTION__V1__CONTENT__INIT;
    struct preview preview = {&response};
    const struct channel_setup setup = {.url = "http://graph/v21.0/", .account = "178", .secret = TOKEN};
    const struct adapter_delivery delivery = {
        .row = channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM),
        .setup = &setup,
        .event_id = EVENT,
        .content = &content,
        .key = "evt_0",
        .step_id = "",
    };
    content.title = (char *)"행사";
    content.text = (char *)"@a @b @c @d";
    content.jpeg_url = (char *)"https://elsewhere.example/a.jpg"; /* no picture of ours: as it is */
    assert_int_equal(instagram_adapter.preview(&delivery, &preview, NULL), HERALD_OK);
    for (size_t i = 0; i < response.n_requests; i++) {
        size_t at = strlen(shown->requests);
        snprintf(shown->requests + at, sizeof(shown->requests) - at, "%s %s %s\n", response.requests[i]->method,
                 response.requests[i]->url, response.requests[i]->body);
        for (size_t h = 0; h < response.requests[i]->n_headers; h++) {
            assert_null(strstr(response.requests[i]->headers[h], TOKEN));
        }
    }
    shown->request_count = response.n_requests;
    shown->problem_count = response.n_problems;
    snprintf(shown->caption, sizeof(shown->caption), "%s", response.caption);
    snprintf(shown->picture, sizeof(shown->picture), "%s", response.picture_urls[0]);
}

static void test_instagram_preview_shows_what_is_sent(void **state) {
    (void)state;
    struct shown shown = {0};
    struct call call;
    call_init(&call, "test", NULL, 30000, 0);
    run_task(&call, preview_body, &shown);
    call_fini(&call);
    assert_int_equal(shown.request_count, 4);
    assert_int_equal(shown.problem_count, 1); /* four mentions */
    assert_string_equal(shown.picture, "https://elsewhere.example/a.jpg");
    assert_has(shown.caption, "@a @b @c @d");
    assert_has(shown.requests, "POST http://graph/v21.0/178/media image_url=https%3A%2F%2Felsewhere.example%2Fa.jpg&");
    assert_has(shown.requests, "POST http://graph/v21.0/178/media_publish creation_id={container}\n");
    assert_null(strstr(shown.requests, TOKEN));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instagram_a_post_takes_its_steps),
        cmocka_unit_test(test_instagram_renewal_that_fails_keeps_no_post),
        cmocka_unit_test(test_instagram_refused_token_gives_way),
        cmocka_unit_test(test_instagram_messages_never_hold_the_token),
        cmocka_unit_test(test_instagram_full_quota_defers),
        cmocka_unit_test(test_instagram_quota_is_read_when_it_may_be_near),
        cmocka_unit_test(test_instagram_container_without_readable_id_is_made_again),
        cmocka_unit_test(test_instagram_each_status_in_prepare_and_look_up),
        cmocka_unit_test(test_instagram_2xx_accepts_whatever_the_body),
        cmocka_unit_test(test_instagram_lost_publish_is_unknown),
        cmocka_unit_test(test_instagram_refused_publish_keeps_the_channels_time),
        cmocka_unit_test(test_instagram_nothing_is_published_without_a_container),
        cmocka_unit_test(test_instagram_is_configured_with_account_and_token),
        cmocka_unit_test(test_instagram_preview_shows_what_is_sent),
    };
    return cmocka_run_group_tests_name("distribution.instagram", tests, NULL, NULL);
}
