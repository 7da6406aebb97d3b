/* heraldctl deliveries EVENT_ID ACTION: what an owner or an operator does to the deliveries of an event. */
#include "client/base/clock.h"
#include "deploy/ctl/ask.h"
#include "deploy/ctl/clean.h"
#include "deploy/ctl/deliveries.h"
#include "deploy/ctl/delivery_text.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/must.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/words.h"
#include "herald/distribution/v1/distribution.schema.h"
#include "herald/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define METHOD(name) herald_distribution_v1_distribution_service_##name##_method

static void print_results_of(const struct ctl *ctl, Herald__Distribution__V1__ChannelResult *const *results,
                             size_t count) {
    delivery_text_print(ctl->arguments->operands[0], results, count, herald_wall_us(), stdout);
}

static char *event_of(const struct ctl *ctl) {
    return (char *)ctl->arguments->operands[0];
}

static char *user_of(const struct ctl *ctl) {
    return (char *)(ctl->arguments->user != NULL ? ctl->arguments->user : "");
}

/* ---- retry, cancel ---- */

static void show_retried(const struct ctl *ctl, const ProtobufCMessage *message) {
    const Herald__Distribution__V1__RetryDeliveryResponse *response =
        (const Herald__Distribution__V1__RetryDeliveryResponse *)message;
    printf("%u begin anew or go on now\n\n", (unsigned)response->retried);
    print_results_of(ctl, response->results, response->n_results);
}

static int retry_deliveries(struct ctl *ctl, Herald__Distribution__V1__Channel channel) {
    Herald__Distribution__V1__RetryDeliveryRequest request = HERALD__DISTRIBUTION__V1__RETRY_DELIVERY_REQUEST__INIT;
    request.event_id = event_of(ctl);
    request.user_id = user_of(ctl);
    request.channel = channel;
    return ask(ctl, METHOD(retry_delivery), &request.base, show_retried);
}

static void show_cancelled(const struct ctl *ctl, const ProtobufCMessage *message) {
    const Herald__Distribution__V1__CancelDistributionResponse *response =
        (const Herald__Distribution__V1__CancelDistributionResponse *)message;
    printf("%u cancelled\n\n", (unsigned)response->cancelled);
    print_results_of(ctl, response->results, response->n_results);
}

static int cancel_deliveries(struct ctl *ctl, Herald__Distribution__V1__Channel channel) {
    Herald__Distribution__V1__CancelDistributionRequest request =
        HERALD__DISTRIBUTION__V1__CANCEL_DISTRIBUTION_REQUEST__INIT;
    request.event_id = event_of(ctl);
    request.user_id = user_of(ctl);
    request.channel = channel;
    return ask(ctl, METHOD(cancel_distribution), &request.base, show_cancelled);
}

/* ---- resolve, confirm ---- */

static void show_resolved(const struct ctl *ctl, const ProtobufCMessage *message) {
    Herald__Distribution__V1__ChannelResult *result =
        ((const Herald__Distribution__V1__ResolveDeliveryResponse *)message)->result;
    print_results_of(ctl, &result, result != NULL ? 1 : 0);
}

static int resolve_delivery(struct ctl *ctl, Herald__Distribution__V1__Channel channel) {
    static const char *const words[] = {"published", "again", "give-up"};
    static const Herald__Distribution__V1__Resolution resolutions[] = {
        HERALD__DISTRIBUTION__V1__RESOLUTION__WAS_PUBLISHED, HERALD__DISTRIBUTION__V1__RESOLUTION__SEND_AGAIN,
        HERALD__DISTRIBUTION__V1__RESOLUTION__GIVE_UP};
    Herald__Distribution__V1__ResolveDeliveryRequest request = HERALD__DISTRIBUTION__V1__RESOLVE_DELIVERY_REQUEST__INIT;
    size_t place = 0;
    if (!words_choose("resolution", words, sizeof(words) / sizeof(words[0]), ctl->arguments->operands[3], &place)) {
        return CTL_USAGE;
    }
    request.event_id = event_of(ctl);
    request.channel = channel;
    request.resolution = resolutions[place];
    request.remote_id = (char *)(ctl->arguments->remote_id != NULL ? ctl->arguments->remote_id : "");
    request.url = (char *)(ctl->arguments->post_url != NULL ? ctl->arguments->post_url : "");
    return ask(ctl, METHOD(resolve_delivery), &request.base, show_resolved);
}

static void show_confirmed(const struct ctl *ctl, const ProtobufCMessage *message) {
    Herald__Distribution__V1__ChannelResult *result =
        ((const Herald__Distribution__V1__ConfirmAssistedPublishResponse *)message)->result;
    print_results_of(ctl, &result, result != NULL ? 1 : 0);
}

static int confirm_delivery(struct ctl *ctl, Herald__Distribution__V1__Channel channel) {
    Herald__Distribution__V1__ConfirmAssistedPublishRequest request =
        HERALD__DISTRIBUTION__V1__CONFIRM_ASSISTED_PUBLISH_REQUEST__INIT;
    request.event_id = event_of(ctl);
    request.user_id = user_of(ctl);
    request.channel = channel;
    request.url = (char *)ctl->arguments->operands[3];
    return ask(ctl, METHOD(confirm_assisted_publish), &request.base, show_confirmed);
}

/* ---- schedule ---- */

static void show_schedule(const struct ctl *ctl, const ProtobufCMessage *message) {
    const Herald__Distribution__V1__ScheduleDistributionResponse *response =
        (const Herald__Distribution__V1__ScheduleDistributionResponse *)message;
    char at[MOMENT_BYTES];
    moment_text(response->scheduled_at, herald_wall_us(), at);
    printf("Nothing is sent before %s.\n\n", at);
    print_results_of(ctl, response->results, response->n_results);
}

/* Whether a time says its distance from UTC, such as 2026-12-24T09:00:00Z or …+09:00. */
static bool is_instant(const char *time) {
    const char *of_day = strpbrk(time, "Tt");
    return of_day != NULL && strpbrk(of_day, "Zz+-") != NULL;
}

static int schedule_event(struct ctl *ctl, const char *time) {
    struct herald_error error;
    ProtobufCMessage *request = NULL;
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "eventId", event_of(ctl), "userId", user_of(ctl), "timeZone",
                             ctl->arguments->zone, is_instant(time) ? "scheduledAt" : "localTime", time);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text == NULL) {
        fputs("heraldctl: the time, the user and the zone must be UTF-8\n", stderr);
        return CTL_USAGE;
    }
    enum herald_code code =
        herald_json_read(METHOD(schedule_distribution)->request, text, strlen(text), NULL, NULL, &request, &error);
    free(text);
    if (code != HERALD_OK) {
        report_error(stderr, ctl->arguments->format, "time", &error);
        return CTL_USAGE;
    }
    int status = ask(ctl, METHOD(schedule_distribution), request, show_schedule);
    protobuf_c_message_free_unpacked(request, NULL);
    return status;
}

/* ---- preview ---- */

/* Prints lines of text from elsewhere: newlines stay, other control characters become spaces. */
static void print_lines(const char *before, const char *text) {
    char *copy = ctl_must(strdup(text)), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        printf("%s%s\n", before, clean_text(line));
    }
    free(copy);
}

static void print_previewed(const Herald__Distribution__V1__PreviewedRequest *request) {
    print_lines("", request->purpose);
    printf("  %s", clean_text(request->method));
    print_lines(" ", request->url);
    for (size_t i = 0; i < request->n_headers; i++) {
        print_lines("  ", request->headers[i]);
    }
    if (request->body[0] != '\0') {
        putchar('\n');
        print_lines("  ", request->body);
    }
    putchar('\n');
}

static void show_preview(const struct ctl *ctl, const ProtobufCMessage *message) {
    const Herald__Distribution__V1__GetDeliveryPreviewResponse *response =
        (const Herald__Distribution__V1__GetDeliveryPreviewResponse *)message;
    (void)ctl;
    for (size_t i = 0; i < response->n_problems; i++) {
        printf("The channel would refuse it: %s: %s: ", response->problems[i]->field, response->problems[i]->reason);
        print_lines("", response->problems[i]->text_en);
    }
    for (size_t i = 0; i < response->n_requests; i++) {
        print_previewed(response->requests[i]);
    }
    if (response->caption[0] != '\0') {
        puts("The text as the public sees it:");
        print_lines("  ", response->caption);
    }
    for (size_t i = 0; i < response->n_picture_urls; i++) {
        print_lines("Picture: ", response->picture_urls[i]);
    }
    if (response->html[0] != '\0') {
        puts("To paste, as HTML:");
        print_lines("  ", response->html);
    }
}

static int preview_delivery(struct ctl *ctl, Herald__Distribution__V1__Channel channel) {
    Herald__Distribution__V1__GetDeliveryPreviewRequest request =
        HERALD__DISTRIBUTION__V1__GET_DELIVERY_PREVIEW_REQUEST__INIT;
    request.event_id = event_of(ctl);
    request.user_id = user_of(ctl);
    request.channel = channel;
    return ask(ctl, METHOD(get_delivery_preview), &request.base, show_preview);
}

/* ---- which ---- */

static const struct change_row {
    const char *form;                                                       /* what follows the action */
    size_t least, most;                                                     /* operands, with EVENT_ID and the action */
    int (*run)(struct ctl *ctl, Herald__Distribution__V1__Channel channel); /* NULL: schedule */
} changes[] = {
    {"[CHANNEL]", 2, 3, retry_deliveries},
    {"[CHANNEL]", 2, 3, cancel_deliveries},
    {"CHANNEL published|again|give-up", 4, 4, resolve_delivery},
    {"CHANNEL URL", 4, 4, confirm_delivery},
    {"TIME --zone ZONE", 3, 3, NULL},
    {"CHANNEL", 3, 3, preview_delivery},
};
static const char *const change_words[] = {"retry", "cancel", "resolve", "confirm", "schedule", "preview"};
#define CHANGE_COUNT (sizeof(changes) / sizeof(changes[0]))

int deliveries_change(struct ctl *ctl) {
    const struct ctl_arguments *arguments = ctl->arguments;
    Herald__Distribution__V1__Channel channel = HERALD__DISTRIBUTION__V1__CHANNEL__CHANNEL_UNSPECIFIED;
    size_t place = 0;
    if (!words_choose("action", change_words, CHANGE_COUNT, arguments->operands[1], &place)) {
        return CTL_USAGE;
    }
    const struct change_row *row = &changes[place];
    bool lacks_zone = row->run == NULL && arguments->zone == NULL;
    if (arguments->operand_count < row->least || arguments->operand_count > row->most || lacks_zone) {
        fprintf(stderr, "heraldctl: it is deliveries EVENT_ID %s %s; see heraldctl deliveries --help\n",
                change_words[place], row->form);
        return CTL_USAGE;
    }
    if (row->run == NULL) {
        return schedule_event(ctl, arguments->operands[2]);
    }
    if (arguments->operand_count > 2 && !channel_of_word(arguments->operands[2], &channel)) {
        return CTL_USAGE;
    }
    return row->run(ctl, channel);
}
