/* The token that Instagram renews, shared by processes through Postgres. */
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/channel_state.h"
#include "server/distribution/distribution_service.h"
#include "server/programs/settings.h"
#include "tests/integration/db/db_test.h"
#include "tests/unit/distribution/scripted_peer.h"

#include <stdlib.h>

#define TOKEN     "IGAAconfigured"
#define NEWER     "IGAAnewer"
#define CONTAINER "17889455560051444"
#define REFRESH   "GET /refresh_access_token?grant_type=ig_refresh_token "
#define LOOK      "GET /v21.0/" CONTAINER "?fields=status_code,status "
#define STATUS    {LOOK, 200, NULL, "{\"status_code\":\"IN_PROGRESS\"}", 0}
#define END       {NULL, 0, NULL, NULL, 0}

/* Stores a token that descends from TOKEN. */
static void store_token(const char *token, int obtained_days_ago, int left_days) {
    sql_run("INSERT INTO channel_tokens (channel, token, source, obtained_at, expires_at) VALUES ('INSTAGRAM', '%s', "
            "sha256('" TOKEN "'), now() - interval '%d day', now() + interval '%d day')",
            token, obtained_days_ago, left_days);
}

/* A process that looks at a container against the script. @known  a token that it knows and that is due; NULL: none */
TASK_FN static void look_as_process(struct db_env *env, const char *configured, const char *known,
                                    const struct scripted *script, char ret_bearer[CHANNEL_TOKEN_BYTES]) {
    struct settings settings;
    struct channel_state **states = NULL;
    struct http *http = NULL;
    char url[64];
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    assert_ok(env, channel_states_new(&settings, &states, &env->error));
    assert_ok(env, http_open(env->loop, &http, &env->error));
    struct scripted_peer *peer = scripted_peer_start(script);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/v21.0", scripted_peer_port(peer));
    const struct channel_row *row = channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM);
    const struct channel_setup setup = {
        .url = url,
        .base = "",
        .secret = configured,
        .account = "178",
        .key = "",
        .sender = "",
        .option = "",
        .timeout_ms = 20000,
    };
    const struct adapter_delivery delivery = {
        .row = row,
        .setup = &setup,
        .state = states[channel_index(row)],
        .http = http,
        .db = env->db,
        .event_id = "018f0000-0000-7000-8000-000000000001",
        .owner = "owner",
        .key = "evt_0",
        .step_id = CONTAINER,
    };
    if (known != NULL) {
        assert_true(channel_token_set(delivery.state, known, 1));
    }
    assert_int_equal(instagram_adapter.prepare(&delivery).meaning, MEANS_NOT_YET);
    (void)channel_token(delivery.state, ret_bearer);
    struct channel_view view;
    channel_view(delivery.state, &view);
    long stored_s = sql_number("SELECT COALESCE(max(floor(extract(epoch FROM expires_at)))::bigint, 0) FROM "
                               "channel_tokens WHERE token = '%s'",
                               ret_bearer);
    assert_true(labs((long)(view.token_ends_us / 1000000) - stored_s) < 3600); /* by two clocks */
    scripted_peer_stop(peer);
    scripted_peer_check(peer);
    char header[CHANNEL_TOKEN_BYTES + 32];
    size_t last = script[1].request != NULL ? 1 : 0;
    snprintf(header, sizeof(header), "uthorization: Bearer %s\r\n", ret_bearer);
    assert_non_null(strstr(scripted_peer_request(peer, last), header));
    scripted_peer_free(peer);
    http_close(http);
    channel_states_free(states);
    settings_fini(&settings);
}

static const struct scripted RENEWS[] = {
    {REFRESH, 200, NULL, "{\"access_token\":\"" NEWER "\",\"expires_in\":5183944}", 0}, STATUS, END};
static const struct scripted RENEWS_IN_VAIN[] = {{REFRESH, 400, NULL, "{\"error\":{\"code\":190}}", 0}, STATUS, END};
static const struct scripted ASKS_FOR_NONE[] = {STATUS, END};

DB_TEST(test_channel_tokens_one_process_renews_for_all) {
    char token[CHANNEL_TOKEN_BYTES];
    sql_run("DELETE FROM channel_tokens");
    look_as_process(env, TOKEN, NULL, RENEWS, token);
    assert_string_equal(token, NEWER);
    assert_int_equal(sql_number("SELECT count(*) FROM channel_tokens WHERE token = '" NEWER
                                "' AND expires_at BETWEEN now() + interval '59 day' AND now() + interval '60 day'"),
                     1);
    look_as_process(env, TOKEN, NULL, ASKS_FOR_NONE, token);
    assert_string_equal(token, NEWER);
}

/* A process whose token is due takes the one that another has stored meanwhile. */
DB_TEST(test_channel_tokens_due_one_is_read_again_first) {
    char token[CHANNEL_TOKEN_BYTES];
    sql_run("DELETE FROM channel_tokens");
    store_token(NEWER, 0, 60);
    look_as_process(env, TOKEN, "IGAAolder", ASKS_FOR_NONE, token);
    assert_string_equal(token, NEWER);
}

DB_TEST(test_channel_tokens_stored_one_is_renewed_when_20_days_are_left) {
    char token[CHANNEL_TOKEN_BYTES];
    sql_run("DELETE FROM channel_tokens");
    store_token("IGAAolder", 39, 21);
    look_as_process(env, TOKEN, NULL, ASKS_FOR_NONE, token);
    assert_string_equal(token, "IGAAolder");
    sql_run("DELETE FROM channel_tokens");
    store_token("IGAAolder", 41, 19);
    look_as_process(env, TOKEN, NULL, RENEWS, token);
    assert_string_equal(token, NEWER);
    assert_int_equal(sql_number("SELECT count(*) FROM channel_tokens WHERE token = '" NEWER "'"), 1);
}

/* What cannot be renewed is used as long as it lasts. */
DB_TEST(test_channel_tokens_renewal_in_vain_keeps_the_stored_one) {
    char token[CHANNEL_TOKEN_BYTES];
    sql_run("DELETE FROM channel_tokens");
    store_token("IGAAolder", 55, 5);
    look_as_process(env, TOKEN, NULL, RENEWS_IN_VAIN, token);
    assert_string_equal(token, "IGAAolder");
    assert_int_equal(sql_number("SELECT count(*) FROM channel_tokens WHERE token = 'IGAAolder'"), 1);
}

/* A new token in the settings takes the place of what descends from the old one. */
DB_TEST(test_channel_tokens_new_settings_count_more) {
    char token[CHANNEL_TOKEN_BYTES];
    sql_run("DELETE FROM channel_tokens");
    store_token("IGAAolder", 0, 60);
    look_as_process(env, "IGAAnewsettings", NULL, RENEWS_IN_VAIN, token);
    assert_string_equal(token, "IGAAnewsettings");
}

/* When the stored token ends, as ListChannels of a process that has not used it tells it; s since 1970, 0: not set. */
TASK_FN static int64_t listed_end_s(struct db_env *env, const char *configured) {
    Herald__Distribution__V1__ListChannelsRequest request = HERALD__DISTRIBUTION__V1__LIST_CHANNELS_REQUEST__INIT;
    Herald__Distribution__V1__ListChannelsResponse response = HERALD__DISTRIBUTION__V1__LIST_CHANNELS_RESPONSE__INIT;
    struct settings settings;
    struct engine_process *process = arena_calloc(call_arena(), 1, sizeof(*process));
    struct distribution_service service = {.engine = {.process = process, .db = env->db}};
    int64_t end_s = 0;
    (void)setenv("HERALD_INSTAGRAM_TOKEN", configured, 1);
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    assert_ok(env, channel_states_new(&settings, &process->channels, &env->error));
    assert_ok(env, distribution_list_channels(&service, &request, &response, &env->error));
    assert_int_equal(response.n_channels, CHANNEL_COUNT);
    for (size_t i = 0; i < response.n_channels; i++) {
        const Herald__Distribution__V1__ChannelInfo *info = response.channels[i];
        if (info->token_expires_at != NULL) {
            assert_int_equal(info->channel, HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM);
            end_s = info->token_expires_at->seconds;
        }
    }
    channel_states_free(process->channels);
    settings_fini(&settings);
    (void)unsetenv("HERALD_INSTAGRAM_TOKEN");
    return end_s;
}

DB_TEST(test_channel_tokens_end_is_listed) {
    sql_run("DELETE FROM channel_tokens");
    assert_true(listed_end_s(env, TOKEN) == 0);
    store_token(NEWER, 55, 5);
    assert_true(listed_end_s(env, TOKEN) ==
                sql_number("SELECT floor(extract(epoch FROM expires_at))::bigint FROM channel_tokens"));
    assert_true(listed_end_s(env, "IGAAnewsettings") == 0); /* the stored one descends from another */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channel_tokens_one_process_renews_for_all),
        cmocka_unit_test(test_channel_tokens_due_one_is_read_again_first),
        cmocka_unit_test(test_channel_tokens_stored_one_is_renewed_when_20_days_are_left),
        cmocka_unit_test(test_channel_tokens_renewal_in_vain_keeps_the_stored_one),
        cmocka_unit_test(test_channel_tokens_new_settings_count_more),
        cmocka_unit_test(test_channel_tokens_end_is_listed),
    };
    return cmocka_run_group_tests_name("db.channel_tokens", tests, schema_setup, schema_teardown);
}
