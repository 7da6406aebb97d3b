/* heraldctl watch publish: shows an event and its deliveries until none goes on by itself any more. */
#include "deploy/ctl/watch_publish.h"

#include "client/base/clock.h"
#include "deploy/ctl/clean.h"
#include "deploy/ctl/delivery_text.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/watching.h"
#include "herald/distribution/v1/distribution.client.h"
#include "herald/event/v1/event.client.h"
#include "herald/json.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MS 300
/* Columns of a line behind its time, on a terminal of 80. */
#define LINE_COLUMNS 68u

typedef Herald__Distribution__V1__GetDistributionResponse distribution_response;

static size_t accepted_result_count(const distribution_response *distribution) {
    size_t count = 0;
    for (size_t i = 0; distribution != NULL && i < distribution->n_results; i++) {
        count += distribution->results[i]->accepted ? 1 : 0;
    }
    return count;
}

/* Whether a delivery does not go on by itself: it is done, refused, or a person's. */
static bool has_come_to_rest(const Herald__Distribution__V1__ChannelResult *result) {
    return result->outlook == HERALD__DISTRIBUTION__V1__OUTLOOK__DONE ||
           result->outlook == HERALD__DISTRIBUTION__V1__OUTLOOK__REFUSED ||
           result->outlook == HERALD__DISTRIBUTION__V1__OUTLOOK__NEEDS_PERSON;
}

static size_t resting_result_count(const distribution_response *distribution) {
    size_t count = 0;
    for (size_t i = 0; distribution != NULL && i < distribution->n_results; i++) {
        count += has_come_to_rest(distribution->results[i]) ? 1 : 0;
    }
    return count;
}

void watch_publish_line(const Herald__Event__V1__EventDraft *event, const distribution_response *distribution,
                        char *ret_line, size_t bytes) {
    const char *status = ctl_enum_name(&herald__event__v1__event_status__descriptor, (int)event->status);
    if (distribution == NULL) {
        snprintf(ret_line, bytes, "%s", status);
        return;
    }
    size_t going = distribution->n_results - resting_result_count(distribution), persons = 0;
    for (size_t i = 0; i < distribution->n_results; i++) {
        persons += distribution->results[i]->outlook == HERALD__DISTRIBUTION__V1__OUTLOOK__NEEDS_PERSON ? 1 : 0;
    }
    int length = snprintf(ret_line, bytes, "%-8s  %zu of %zu accepted", status, accepted_result_count(distribution),
                          distribution->n_results);
    if (going > 0 && (size_t)length < bytes) {
        length += snprintf(ret_line + length, bytes - (size_t)length, ", %zu %s on", going, going == 1 ? "goes" : "go");
    }
    if (persons > 0 && (size_t)length < bytes) {
        snprintf(ret_line + length, bytes - (size_t)length, ", %zu %s a person", persons,
                 persons == 1 ? "needs" : "need");
    }
}

void watch_channel_line(const Herald__Distribution__V1__ChannelResult *result, int64_t now_us,
                        char ret_line[WATCH_CHANNEL_BYTES]) {
    char at[MOMENT_BYTES] = "";
    bool wants_person = result->outlook == HERALD__DISTRIBUTION__V1__OUTLOOK__NEEDS_PERSON;
    if (!wants_person && result->next_attempt_at != NULL) {
        moment_clock(result->next_attempt_at, now_us, at);
    }
    int length = snprintf(ret_line, WATCH_CHANNEL_BYTES, "%s %s%s%s%s",
                          ctl_enum_name(&herald__distribution__v1__channel__descriptor, (int)result->channel),
                          ctl_enum_name(&herald__distribution__v1__delivery_state__descriptor, (int)result->state),
                          at[0] != '\0' ? ", next at " : "", at, wants_person ? ", needs a person" : "");
    if (result->reason[0] != '\0') {
        char reason[WATCH_CHANNEL_BYTES / 2];
        snprintf(reason, sizeof(reason), "%s", result->reason);
        bool fits = (size_t)length + 2 + strlen(reason) <= LINE_COLUMNS;
        snprintf(ret_line + length, WATCH_CHANNEL_BYTES - (size_t)length, "%s%s", fits ? ": " : ":\n             ",
                 clean_text(reason));
    }
}

/* Prints a line {"status":…,"distribution":…} if it differs from the line before. */
static void print_publish_json(const Herald__Event__V1__EventDraft *event, const distribution_response *distribution,
                               char **last) {
    char *distribution_json = NULL, *line = NULL;
    struct herald_json_write_options options = {.with_defaults = true};
    if (distribution != NULL &&
        herald_json_write(&herald_distribution_v1_get_distribution_response_schema, &distribution->base, &options,
                          &distribution_json, NULL) != HERALD_OK) {
        return;
    }
    json_t *id = json_string(event->event_draft_id);
    char *id_json = clean_json(id, JSON_ENCODE_ANY);
    if (id_json == NULL || asprintf(&line, "{\"eventId\":%s,\"status\":\"%s\",\"distribution\":%s}", id_json,
                                    ctl_enum_name(&herald__event__v1__event_status__descriptor, (int)event->status),
                                    distribution_json != NULL ? distribution_json : "null") < 0) {
        line = NULL;
    }
    json_decref(id);
    free(id_json);
    free(distribution_json);
    if (line != NULL && (*last == NULL || strcmp(line, *last) != 0)) {
        puts(line);
        fflush(stdout);
    }
    free(*last);
    *last = line;
}

struct publish_watch {
    struct watch watch;
    struct herald_channel *events, *distributions;
    Herald__Event__V1__GetEventRequest event_request;
    Herald__Distribution__V1__GetDistributionRequest distribution_request;
    char *last_json;
    char told[HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT][WATCH_CHANNEL_BYTES]; /* of each channel, lately */
    int status;
};

/* Tells how the delivery to a channel stands, if that has changed. */
static void tell_delivery_line(struct publish_watch *publish, const Herald__Distribution__V1__ChannelResult *result) {
    char line[WATCH_CHANNEL_BYTES];
    if ((unsigned)result->channel >= HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT) {
        return; /* of a newer server; the table at the end has it */
    }
    watch_channel_line(result, herald_wall_us(), line);
    if (strcmp(publish->told[result->channel], line) != 0) {
        memcpy(publish->told[result->channel], line, sizeof(line));
        progress_tell(&publish->watch.progress, line);
    }
}

static void show_publish(struct publish_watch *publish, const Herald__Event__V1__EventDraft *event,
                         const distribution_response *distribution) {
    char line[160];
    for (size_t i = 0; distribution != NULL && i < distribution->n_results; i++) {
        tell_delivery_line(publish, distribution->results[i]);
    }
    watch_publish_line(event, distribution, line, sizeof(line));
    progress_show(&publish->watch.progress, line);
    if (publish->watch.ctl->arguments->format == CTL_JSON) {
        print_publish_json(event, distribution, &publish->last_json);
    }
}

/* Returns: whether no delivery goes on by itself any more, and the event's state tells so */
static bool judge_publish(struct publish_watch *publish, const Herald__Event__V1__EventDraft *event,
                          const distribution_response *distribution) {
    bool table = publish->watch.ctl->arguments->format == CTL_TABLE;
    bool active = event->status == HERALD__EVENT__V1__EVENT_STATUS__ACTIVE ||
                  event->status == HERALD__EVENT__V1__EVENT_STATUS__ENDED;
    bool at_rest = distribution == NULL || resting_result_count(distribution) == distribution->n_results;
    bool refused = event->status == HERALD__EVENT__V1__EVENT_STATUS__APPROVED && distribution != NULL &&
                   distribution->n_results > 0 && accepted_result_count(distribution) == 0;
    if (!at_rest || (!active && !refused)) {
        return false;
    }
    progress_end(&publish->watch.progress);
    publish->status = active ? CTL_OK : CTL_FAILED;
    if (table && !active) {
        puts("no channel has accepted the event");
    }
    if (table && distribution != NULL) {
        delivery_text_print(event->event_draft_id, distribution->results, distribution->n_results, herald_wall_us(),
                            stdout);
    }
    return true;
}

/* Reads the delivery of an event; it may not exist yet. Returns: whether the watch has ended */
static bool look_at_distribution(struct publish_watch *publish, const Herald__Event__V1__EventDraft *event) {
    struct herald_reply reply = {0};
    const distribution_response *distribution = NULL;
    bool ended = false;
    enum herald_code code = herald_distribution_v1_distribution_service_get_distribution(
        publish->distributions, &publish->distribution_request, NULL, &reply, &distribution);
    if (code == HERALD_OK || code == HERALD_NOT_FOUND) {
        watch_answered(&publish->watch);
        show_publish(publish, event, distribution);
        ended = judge_publish(publish, event, distribution);
    } else {
        ended = !watch_failed(&publish->watch, "DistributionService/GetDistribution", &reply, &publish->status);
    }
    herald_reply_clear(&reply);
    return ended;
}

static bool look_at_publish(struct publish_watch *publish) {
    struct herald_reply reply = {0};
    const Herald__Event__V1__GetEventResponse *response = NULL;
    bool ended = false;
    if (herald_event_v1_event_service_get_event(publish->events, &publish->event_request, NULL, &reply, &response) !=
        HERALD_OK) {
        ended = !watch_failed(&publish->watch, "EventService/GetEvent", &reply, &publish->status);
    } else if (response->event != NULL) {
        ended = look_at_distribution(publish, response->event);
    }
    herald_reply_clear(&reply);
    return ended;
}

static bool open_publish_channels(struct publish_watch *publish) {
    const struct settings *settings = &publish->watch.ctl->settings;
    struct herald_reply reply = {0};
    struct herald_channel_options options = *remote_options();
    options.retry.max_attempts = 1; /* watch_failed() retries, and shows that it waits */
    uint32_t max_bytes = settings->rpc_max_message_bytes;
    if (ctl_remote_open(settings_event_url(settings), max_bytes, &options, &publish->events, &reply.error) ==
            HERALD_OK &&
        ctl_remote_open(settings_distribution_url(settings), max_bytes, &options, &publish->distributions,
                        &reply.error) == HERALD_OK) {
        return true;
    }
    report_error(stderr, publish->watch.ctl->arguments->format, "watch", &reply.error);
    return false;
}

int watch_publish(struct ctl *ctl, const char *event_id, const char *user_id) {
    struct publish_watch publish = {
        .event_request = HERALD__EVENT__V1__GET_EVENT_REQUEST__INIT,
        .distribution_request = HERALD__DISTRIBUTION__V1__GET_DISTRIBUTION_REQUEST__INIT,
        .status = CTL_FAILED,
    };
    publish.event_request.event_draft_id = (char *)event_id;
    publish.event_request.user_id = (char *)user_id;
    publish.distribution_request.event_id = (char *)event_id;
    watch_init(&publish.watch, ctl);
    if (open_publish_channels(&publish)) {
        while (!watch_over(&publish.watch) && !look_at_publish(&publish)) {
            watch_pause(POLL_MS);
        }
    } else {
        publish.status = CTL_USAGE;
    }
    free(publish.last_json);
    herald_channel_close(publish.events);
    herald_channel_close(publish.distributions);
    return publish.status;
}
