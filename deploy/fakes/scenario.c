/*
 * A scenario: a file of JSON lines, each a behaviour and the moment when it is set. A line comes once, in any order of
 * the file. Moments by time count from the first look at the scenario, which is the start of the server.
 */
#include "client/base/clock.h"
#include "deploy/fakes/fakes_private.h"
#include "deploy/fakes/kakao.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCENARIO_LINES_MAX 4096

struct scenario_line {
    bool done, by_posts, is_clock;
    uint64_t after; /* milliseconds, or accepted posts of the channel */
    enum fake_channel channel;
    struct fake_behaviour behaviour;
    int kst_minute;
};

struct fakes_scenario {
    uint64_t begun_us; /* 0: not yet */
    size_t count, left;
    struct scenario_line *lines;
};

void fakes_scenario_free(struct fakes_scenario *scenario) {
    if (scenario != NULL) {
        free(scenario->lines);
        free(scenario);
    }
}

size_t fakes_scenario_left(const struct fakes_scenario *scenario) {
    return scenario != NULL ? scenario->left : 0;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* Reads when a line comes. Returns: NULL, or what is wrong */
static const char *read_moment(const json_t *json, struct scenario_line *line) {
    const json_t *after_ms = json_object_get(json, "afterMs"), *after_posts = json_object_get(json, "afterPosts");
    const json_t *after = after_ms != NULL ? after_ms : after_posts;
    if ((after_ms == NULL) == (after_posts == NULL)) {
        return "one of afterMs and afterPosts is needed";
    }
    if (!json_is_integer(after) || json_integer_value(after) < 0 || json_integer_value(after) > INT64_C(1000000000)) {
        return after_ms != NULL ? "afterMs must be a whole number from 0 to 1000000000"
                                : "afterPosts must be a whole number from 0 to 1000000000";
    }
    line->by_posts = after_posts != NULL;
    line->after = (uint64_t)json_integer_value(after);
    return NULL;
}

static const char *read_clock_line(const json_t *json, struct scenario_line *line) {
    const char *kst = json_string_value(json_object_get(json, "kst"));
    line->is_clock = true;
    line->channel = FAKE_KAKAO_CHANNEL;
    line->kst_minute = kst != NULL ? fakes_read_time(kst) : -1;
    if (line->kst_minute < 0) {
        return "kst must be a time of day, \"21:00\"";
    }
    return json_object_size(json) == 2 ? NULL : "a line with kst has one other member, afterMs or afterPosts";
}

static const char *read_scenario_line(const json_t *json, struct scenario_line *line) {
    const char *channel = json_string_value(json_object_get(json, "channel"));
    const char *wrong = json_is_object(json) ? read_moment(json, line) : "a line is a JSON object";
    if (wrong != NULL || json_object_get(json, "kst") != NULL) {
        return wrong != NULL ? wrong : read_clock_line(json, line);
    }
    if (channel == NULL || !fake_channel_find(channel, &line->channel)) {
        return "channel must be the name of a channel";
    }
    if (json_object_get(json, "behaviour") == NULL || json_object_size(json) != 3) {
        return "a line has the members afterMs or afterPosts, channel and behaviour";
    }
    return fake_behaviour_read(json_object_get(json, "behaviour"), line->channel, &line->behaviour);
}

static enum herald_code bad_scenario(const char *path, unsigned number, const char *why, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_BAD_SETTINGS, "scenario %s, line %u: %s", path, number, why);
}

/* Adds the line of @text, if it is not empty. */
static enum herald_code add_scenario_line(struct fakes_scenario *scenario, const char *path, unsigned number,
                                          const char *text, struct herald_error *reterr) {
    json_error_t syntax;
    struct scenario_line line = {0};
    if (text[strspn(text, " \t\r\n")] == '\0') {
        return HERALD_OK;
    }
    if (scenario->count == SCENARIO_LINES_MAX) {
        return bad_scenario(path, number, "a scenario has at most 4096 lines", reterr);
    }
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &syntax);
    const char *wrong = json != NULL ? read_scenario_line(json, &line) : syntax.text;
    enum herald_code code = wrong != NULL ? bad_scenario(path, number, wrong, reterr) : HERALD_OK;
    json_decref(json);
    if (code == HERALD_OK) {
        scenario->lines[scenario->count++] = line;
    }
    return code;
}

static enum herald_code read_scenario_lines(FILE *file, const char *path, struct fakes_scenario *scenario,
                                            struct herald_error *reterr) {
    char *text = NULL;
    size_t room = 0;
    enum herald_code code = HERALD_OK;
    for (unsigned number = 1; code == HERALD_OK && getline(&text, &room, file) >= 0; number++) {
        code = add_scenario_line(scenario, path, number, text, reterr);
    }
    free(text);
    scenario->left = scenario->count;
    return code;
}

enum herald_code fakes_scenario_read(const char *path, struct fakes_scenario **ret_scenario,
                                     struct herald_error *reterr) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return herald_error_set(reterr, HERALD_REASON_UNREADABLE, "scenario %s: %s", path, strerror(errno));
    }
    struct fakes_scenario *scenario = calloc(1, sizeof(*scenario));
    if (scenario != NULL) {
        scenario->lines = calloc(SCENARIO_LINES_MAX, sizeof(*scenario->lines));
    }
    enum herald_code code = scenario != NULL && scenario->lines != NULL
                                ? read_scenario_lines(file, path, scenario, reterr)
                                : herald_error_no_memory(reterr, "the scenario");
    fclose(file);
    if (code == HERALD_OK) {
        *ret_scenario = scenario;
    } else {
        fakes_scenario_free(scenario);
    }
    return code;
}

/* --- replaying --------------------------------------------------------------------------------------------------- */

static void apply_line(struct fakes *fakes, struct scenario_line *line) {
    line->done = true;
    fakes->scenario->left--;
    if (line->is_clock) {
        json_t *clock =
            json_pack("{s:o}", "kst", json_sprintf("%02d:%02d", line->kst_minute / 60, line->kst_minute % 60));
        (void)kakao_set_clock(fakes->kakao, clock);
        json_decref(clock);
    } else {
        fake_channels_set(fakes->channels, line->channel, line->behaviour);
    }
}

int fakes_scenario_run(struct fakes *fakes) {
    struct fakes_scenario *scenario = fakes->scenario;
    uint64_t now_us = herald_monotonic_us(), next_ms = UINT64_MAX;
    if (scenario == NULL || scenario->left == 0) {
        return -1;
    }
    scenario->begun_us = scenario->begun_us > 0 ? scenario->begun_us : now_us;
    uint64_t passed_ms = (now_us - scenario->begun_us) / 1000;
    for (size_t i = 0; i < scenario->count; i++) {
        struct scenario_line *line = &scenario->lines[i];
        uint64_t passed = line->by_posts ? fake_ledger_accepted(fakes->ledger, line->channel) : passed_ms;
        if (!line->done && passed >= line->after) {
            apply_line(fakes, line);
        } else if (!line->done && !line->by_posts && line->after - passed_ms < next_ms) {
            next_ms = line->after - passed_ms;
        }
    }
    return next_ms < INT32_MAX ? (int)next_ms : -1;
}
