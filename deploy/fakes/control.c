/* Routes for tests and people: behaviours, the lists, and what the channels remember. */
#include "deploy/fakes/fakes_private.h"
#include "deploy/fakes/instagram.h"
#include "deploy/fakes/kakao.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_TYPE "application/x-ndjson"

/* The body as JSON. Returns: NULL: it is none, and that has been answered */
static json_t *read_control_body(struct fakes_request *request, enum MHD_Result *ret_result) {
    json_error_t syntax;
    json_t *json =
        json_loadb(request->body != NULL ? request->body : "", request->body_bytes, JSON_REJECT_DUPLICATES, &syntax);
    if (json == NULL) {
        *ret_result = fakes_answer_error(request, 400, "bad_request", syntax.text);
    }
    return json;
}

enum MHD_Result fakes_set_behaviour(struct fakes_request *request, enum fake_channel channel) {
    struct fake_behaviour behaviour;
    enum MHD_Result result = MHD_NO;
    json_t *json = read_control_body(request, &result);
    if (json == NULL) {
        return result;
    }
    const char *wrong = fake_behaviour_read(json, channel, &behaviour);
    json_decref(json);
    if (wrong != NULL) {
        return fakes_answer_error(request, 400, "bad_request", wrong);
    }
    fake_channels_set(request->fakes->channels, channel, behaviour);
    uint32_t usual_ms = fake_channels_usual_ms(channel, behaviour.step, behaviour.mode);
    return fakes_answer(request, 200, fake_behaviour_write(&behaviour, usual_ms));
}

static json_t *show_state(const struct fakes *fakes) {
    json_t *accepted = json_object();
    int minute = kakao_minute(fakes->kakao);
    for (int i = 0; i < FAKE_CHANNEL_COUNT; i++) {
        json_int_t count = (json_int_t)fake_ledger_accepted(fakes->ledger, (enum fake_channel)i);
        json_object_set_new(accepted, fake_channel_name((enum fake_channel)i), json_integer(count));
    }
    return json_pack("{s:o, s:I, s:I, s:{s:o, s:b}, s:{s:I}}", "accepted", accepted, "waiting",
                     (json_int_t)fakes->waiting.count, "scenarioLinesLeft",
                     (json_int_t)fakes_scenario_left(fakes->scenario), "kakao", "kst",
                     json_sprintf("%02d:%02d", minute / 60, minute % 60), "quiet", (int)kakao_is_quiet(minute),
                     "instagram", "quotaTotal", (json_int_t)instagram_quota(fakes->instagram));
}

/* Answers a PUT. @path  without the query */
static enum MHD_Result put_control(struct fakes_request *request, const char *path) {
    enum MHD_Result result = MHD_NO;
    const char *wrong = NULL;
    json_t *json = read_control_body(request, &result);
    if (json == NULL) {
        return result;
    }
    if (strcmp(path, "/kakao/clock") == 0) {
        wrong = kakao_set_clock(request->fakes->kakao, json);
    } else if (strcmp(path, "/instagram") == 0) {
        wrong = instagram_set(request->fakes->instagram, json);
    } else if (strncmp(path, "/containers/", 12) == 0) {
        wrong = instagram_set_container(request->fakes->instagram, path + 12, json);
    } else {
        wrong = "PUT sets /behaviour/{CHANNEL}, /kakao/clock, /instagram and /containers/{id}";
    }
    json_decref(json);
    return wrong != NULL ? fakes_answer_error(request, 400, "bad_request", wrong)
                         : fakes_answer(request, 200, show_state(request->fakes));
}

static enum MHD_Result get_control(struct fakes_request *request, const char *path) {
    struct fakes *fakes = request->fakes;
    if (strcmp(path, "/log") == 0) {
        return fakes_answer_text(request, 200, LINES_TYPE, fake_ledger_log(fakes->ledger));
    }
    if (strcmp(path, "/rejected") == 0) {
        return fakes_answer_text(request, 200, LINES_TYPE, fake_ledger_refused(fakes->ledger));
    }
    if (strcmp(path, "/containers") == 0) {
        return fakes_answer_text(request, 200, LINES_TYPE, instagram_list(fakes->instagram));
    }
    if (strcmp(path, "/channels") == 0) {
        return fakes_answer(request, 200, fake_channels_show(fakes->channels));
    }
    if (strcmp(path, "/state") == 0) {
        return fakes_answer(request, 200, show_state(fakes));
    }
    if (strcmp(path, "/health") == 0) {
        return fakes_answer(request, 200, json_pack("{s:s}", "status", "ok"));
    }
    return fakes_answer_error(request, 404, "not_found", "no such page");
}

enum MHD_Result fakes_control(struct fakes_request *request, const char *method, const char *path) {
    if (strcmp(path, "/log") == 0 && strcmp(method, "DELETE") == 0) {
        fake_ledger_clear(request->fakes->ledger);
        return fakes_answer(request, 200, json_object());
    }
    if (strcmp(method, "PUT") == 0) {
        return put_control(request, path);
    }
    return strcmp(method, "GET") == 0 ? get_control(request, path)
                                      : fakes_answer_error(request, 405, "bad_method", "only GET is allowed here");
}
