/* heraldctl timeline: the steps of an event's publish, one a line. */
#include "client/base/clock.h"
#include "deploy/ctl/ask.h"
#include "deploy/ctl/clean.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/must.h"
#include "deploy/ctl/table.h"
#include "herald/event/v1/event.schema.h"

#include <stdlib.h>
#include <string.h>

#define GET_TIMELINE herald_event_v1_event_service_get_event_timeline_method
#define STATE(name)  HERALD__EVENT__V1__TIMELINE_STATE__##name
#define PARTY(name)  HERALD__EVENT__V1__TIMELINE_PARTY__##name
#define ARROW_BYTES  64

typedef Herald__Event__V1__TimelineEntry timeline_entry;
typedef Herald__Event__V1__GetEventTimelineResponse timeline_answer;

/* Short names for a narrow column. */
static const char *party_text(Herald__Event__V1__TimelineParty party) {
    switch (party) {
    case PARTY(EVENT_SERVICE):
        return "event";
    case PARTY(DISTRIBUTION_SERVICE):
        return "distribution";
    case PARTY(CALLER):
        return "caller";
    case PARTY(DATABASE):
        return "database";
    case PARTY(KAFKA):
        return "kafka";
    case PARTY(CACHE):
        return "cache";
    case PARTY(PERSON):
        return "person";
    case PARTY(CHANNEL_PARTY):
        return "channel";
    default:
        return "?";
    }
}

static const char *state_text(Herald__Event__V1__TimelineState state) {
    switch (state) {
    case STATE(UNDER_WAY):
        return "under way";
    case STATE(SUCCEEDED):
        return "done";
    case STATE(FAILED_STEP):
        return "FAILED";
    case STATE(WAITS):
        return "waits";
    default:
        return "?";
    }
}

static void arrow_text(const timeline_entry *entry, char ret_text[ARROW_BYTES]) {
    bool is_channel = entry->to == PARTY(CHANNEL_PARTY) && entry->channel != 0;
    const char *to = is_channel ? ctl_enum_name(&herald__distribution__v1__channel__descriptor, (int)entry->channel)
                                : party_text(entry->to);
    if (entry->from == entry->to) {
        snprintf(ret_text, ARROW_BYTES, "%s", to);
    } else {
        snprintf(ret_text, ARROW_BYTES, "%s -> %s", party_text(entry->from), to);
    }
}

/* The local time with milliseconds. */
static void began_text(const timeline_entry *entry, int64_t now_us, char ret_text[MOMENT_BYTES]) {
    moment_clock(entry->at, now_us, ret_text);
    size_t length = strlen(ret_text);
    if (entry->at != NULL) {
        snprintf(ret_text + length, MOMENT_BYTES - length, ".%03d", (int)(entry->at->nanos / 1000000));
    }
}

static void took_text(const timeline_entry *entry, char ret_text[MOMENT_BYTES]) {
    snprintf(ret_text, MOMENT_BYTES, "-");
    if (entry->at != NULL && entry->ended_at != NULL) {
        snprintf(ret_text, MOMENT_BYTES, "%.1f ms", (double)(moment_us(entry->ended_at) - moment_us(entry->at)) / 1e3);
    }
}

/* Why, and what follows: "CHANNEL_TIMEOUT: no answer; goes on at 14:03:02 (in 4 s)". The caller frees it. */
static char *why_text(const timeline_entry *entry, int64_t now_us) {
    char next[MOMENT_BYTES] = "";
    char *text = NULL;
    moment_text(entry->state == STATE(WAITS) ? entry->next_attempt_at : NULL, now_us, next);
    bool waits_for_person = entry->state == STATE(WAITS) && entry->next_attempt_at == NULL;
    const char *after = next[0] != '\0' ? "goes on at " : waits_for_person ? "a person must act" : "";
    bool has_reason = entry->reason[0] != '\0', has_message = entry->message[0] != '\0';
    if (asprintf(&text, "%s%s%s%s%s%s", entry->reason, has_reason && has_message ? ": " : "", entry->message,
                 (has_reason || has_message) && after[0] != '\0' ? "; " : "", after, next) < 0) {
        return NULL;
    }
    return clean_text(text);
}

static void add_entry_row(struct table *table, const timeline_entry *entry, int64_t now_us) {
    char began[MOMENT_BYTES], took[MOMENT_BYTES], arrow[ARROW_BYTES], step[96];
    char *why = ctl_must(why_text(entry, now_us));
    began_text(entry, now_us, began);
    took_text(entry, took);
    arrow_text(entry, arrow);
    snprintf(step, sizeof(step), entry->attempt > 1 ? "%s %u" : "%s", entry->step, (unsigned)entry->attempt);
    bool is_channel = entry->to == PARTY(CHANNEL_PARTY) || entry->channel == 0;
    const char *channel =
        is_channel ? "" : ctl_enum_name(&herald__distribution__v1__channel__descriptor, (int)entry->channel);
    const char *cells[] = {began, took, arrow, step, channel, state_text(entry->state), why};
    table_add(table, cells);
    free(why);
}

static void show_timeline(const struct ctl *ctl, const ProtobufCMessage *message) {
    static const char *const heading[] = {"BEGAN",   "TOOK",  "FROM -> TO",           "STEP",
                                          "CHANNEL", "STATE", "WHY, AND WHAT FOLLOWS"};
    const timeline_answer *answer = (const timeline_answer *)message;
    struct table table = {.columns = sizeof(heading) / sizeof(heading[0])};
    int64_t now_us = herald_wall_us();
    (void)ctl;
    if (answer->n_entries == 0) {
        puts("The event was not published yet: its timeline begins with PublishEvent.");
    } else {
        table_add(&table, heading);
        for (size_t i = 0; i < answer->n_entries; i++) {
            add_entry_row(&table, answer->entries[i], now_us);
        }
        table_print(&table, stdout);
        table_fini(&table);
        puts(answer->settled ? "\nNothing more happens by itself." : "\nIt goes on.");
    }
    if (answer->deliveries_missing) {
        puts("The distribution service did not answer: the steps of the deliveries are missing.");
    }
}

int ctl_timeline(struct ctl *ctl) {
    Herald__Event__V1__GetEventTimelineRequest request = HERALD__EVENT__V1__GET_EVENT_TIMELINE_REQUEST__INIT;
    request.event_draft_id = (char *)ctl->arguments->operands[0];
    if (ctl->arguments->user != NULL) {
        request.user_id = (char *)ctl->arguments->user;
    }
    return ask(ctl, GET_TIMELINE, &request.base, show_timeline);
}
