/* heraldctl watch publish: shows an event and its delivery until the publication has ended. */
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

typedef Herald__Distribution__V1__GetDistributionResponse distribution_response;

static size_t accepted_result_count(const distribution_response *distribution) {
    size_t count = 0;
    for (size_t i = 0; distribution != NULL && i < distribution->n_results; i++) {
        count += distribution->results[i]->accepted ? 1 : 0;
    }
    return count;
}

/* What follows, so short that it changes only when the delivery does: " (next at 14:03:02)", " (a person)". */
static void line_follows(const Herald__Distribution__V1__ChannelResult *result, int64_t now_us,
                         char ret_text[FOLLOWS_BYTES]) {
    char at[MOMENT_BYTES];
    ret_text[0] = '\0';
    if (result->outlook == HERALD__DISTRIBUTION__V1__OUTLOOK__NEEDS_PERSON) {
        snprintf(ret_text, FOLLOWS_BYTES, " (a person)");
    } else if (result->next_attempt_at != NULL) {
        moment_clock(result->next_attempt_at, now_us, at);
        snprintf(ret_text, FOLLOWS_BYTES, " (next at %s)", at);
    }
}

void watch_publish_line(const Herald__Event__V1__EventDraft *event, const distribution_response *distribution,
                        int64_t now_us, char *ret_line, size_t bytes) {
    int length = snprintf(ret_line, bytes, "%-8s",
                          ctl_enum_name(&herald__event__v1__event_status__descriptor, (int)event->status));
    if (distribution == NULL) {
        return;
    }
    length += snprintf(ret_line + length, bytes - (size_t)length, "  %zu of %zu accepted",
                       accepted_result_count(distribution), distribution->n_results);
    const char *separator = "  ";
    for (size_t i = 0; i < distribution->n_results && (size_t)length < bytes; i++) {
        const Herald__Distribution__V1__ChannelResult *result = distribution->results[i];
        char follows[FOLLOWS_BYTES];
        bool wants_person = result->outlook == HERALD__DISTRIBUTION__V1__OUTLOOK__NEEDS_PERSON;
        if (result->accepted && !wants_person) {
            continue;
        }
        line_follows(result, now_us, follows);
        length +=
            snprintf(ret_line + length, bytes - (size_t)length, "%s%s %s%s", separator,
                     ctl_enum_name(&herald__distribution__v1__channel__descriptor, (int)result->channel),
                     ctl_enum_name(&herald__distribution__v1__delivery_state__descriptor, (int)result->state), follows);
        separator = ", ";
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
    int status;
};

static void show_publish(struct publish_watch *publish, const Herald__Event__V1__EventDraft *event,
                         const distribution_response *distribution) {
    char line[480];
    watch_publish_line(event, distribution, herald_wall_us(), line, sizeof(line));
    progress_show(&publish->watch.progress, line);
    if (publish->watch.ctl->arguments->format == CTL_JSON) {
        print_publish_json(event, distribution, &publish->last_json);
    }
}

/* Returns: whether the publication has ended */
static bool judge_publish(struct publish_watch *publish, const Herald__Event__V1__EventDraft *event,
                          const distribution_response *distribution) {
    bool table = publish->watch.ctl->arguments->format == CTL_TABLE;
    bool active = event->status == HERALD__EVENT__V1__EVENT_STATUS__ACTIVE ||
                  event->status == HERALD__EVENT__V1__EVENT_STATUS__ENDED;
    bool refused = event->status == HERALD__EVENT__V1__EVENT_STATUS__APPROVED && distribution != NULL &&
                   distribution->completed && accepted_result_count(distribution) == 0;
    if (!active && !refused) {
        return false;
    }
    progress_end(&publish->watch.progress);
    publish->status = active ? CTL_OK : CTL_FAILED;
    if (table && !active) {
        puts("no channel has accepted the event; EventService/RetryDelivery begins anew");
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
