/* heraldctl deliveries: shows the deliveries of an event, or those whose outcome only a person can find out. */
#include "deploy/ctl/deliveries.h"

#include "client/base/clock.h"
#include "deploy/ctl/ask.h"
#include "deploy/ctl/clean.h"
#include "deploy/ctl/delivery_text.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/methods.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/table.h"
#include "deploy/ctl/words.h"
#include "herald/distribution/v1/distribution.client.h"
#include "herald/json.h"

#include <stdlib.h>
#include <string.h>

#define GET_DISTRIBUTION herald_distribution_v1_distribution_service_get_distribution_method
#define LIST_UNKNOWN     herald_distribution_v1_distribution_service_list_unknown_deliveries_method
#define PAGE_SIZE        100

typedef Herald__Distribution__V1__GetDistributionResponse event_deliveries;

/* ---- of an event ---- */

static void attempt_times(const Herald__Distribution__V1__DeliveryAttempt *attempt, int64_t now_us,
                          char ret_began[MOMENT_BYTES], char ret_took[MOMENT_BYTES]) {
    moment_clock(attempt->started_at, now_us, ret_began);
    snprintf(ret_took, MOMENT_BYTES, "-");
    if (attempt->started_at != NULL && attempt->finished_at != NULL) {
        snprintf(ret_took, MOMENT_BYTES, "%.1f ms",
                 (double)(moment_us(attempt->finished_at) - moment_us(attempt->started_at)) / 1e3);
    }
}

static void print_attempts(const event_deliveries *deliveries, int64_t now_us) {
    static const char *const heading[] = {"BEGAN", "TOOK", "CHANNEL", "ATTEMPT", "STATE", "REASON", "MESSAGE"};
    struct table table = {.columns = sizeof(heading) / sizeof(heading[0])};
    table_add(&table, heading);
    for (size_t i = 0; i < deliveries->n_attempts; i++) {
        const Herald__Distribution__V1__DeliveryAttempt *attempt = deliveries->attempts[i];
        char began[MOMENT_BYTES], took[MOMENT_BYTES], number[16];
        attempt_times(attempt, now_us, began, took);
        snprintf(number, sizeof(number), "%u", (unsigned)attempt->attempt);
        const char *cells[] = {
            began,
            took,
            ctl_enum_name(&herald__distribution__v1__channel__descriptor, (int)attempt->channel),
            number,
            ctl_enum_name(&herald__distribution__v1__delivery_state__descriptor, (int)attempt->state),
            attempt->reason,
            attempt->message,
        };
        table_add(&table, cells);
    }
    putchar('\n');
    table_print(&table, stdout);
    table_fini(&table);
}

static void show_deliveries(const struct ctl *ctl, const ProtobufCMessage *response) {
    const event_deliveries *deliveries = (const event_deliveries *)response;
    int64_t now_us = herald_wall_us();
    char at[MOMENT_BYTES];
    delivery_text_print(ctl->arguments->operands[0], deliveries->results, deliveries->n_results, now_us, stdout);
    if (deliveries->scheduled_at != NULL && moment_us(deliveries->scheduled_at) > now_us) {
        moment_text(deliveries->scheduled_at, now_us, at);
        printf("\nNothing is sent before %s", at);
        if (deliveries->time_zone[0] != '\0') {
            char *zone = clean_text(strdup(deliveries->time_zone));
            printf("; its owner chose the time in %s", zone != NULL ? zone : "another zone");
            free(zone);
        }
        puts(".");
    }
    if (ctl->arguments->attempts) {
        print_attempts(deliveries, now_us);
    }
}

static int show_event(struct ctl *ctl) {
    Herald__Distribution__V1__GetDistributionRequest request = HERALD__DISTRIBUTION__V1__GET_DISTRIBUTION_REQUEST__INIT;
    request.event_id = (char *)ctl->arguments->operands[0];
    request.with_attempts = ctl->arguments->attempts;
    if (ctl->arguments->user != NULL) {
        request.user_id = (char *)ctl->arguments->user;
    }
    return ask(ctl, GET_DISTRIBUTION, &request.base, show_deliveries);
}

/* ---- of unknown outcome ---- */

/* All pages of ListUnknownDeliveries, while they are read. */
struct unknown_list {
    struct table table;
    size_t count;
    char page_token[129];
};

static void add_unknown(struct unknown_list *list, const Herald__Distribution__V1__UnknownDelivery *delivery,
                        int64_t now_us) {
    char sent[MOMENT_BYTES] = "";
    const char *channel = "";
    if (delivery->result != NULL) {
        moment_clock(delivery->result->started_at, now_us, sent);
        channel = ctl_enum_name(&herald__distribution__v1__channel__descriptor, (int)delivery->result->channel);
    }
    const char *cells[] = {delivery->event_id, channel, sent, delivery->key, delivery->user_id};
    table_add(&list->table, cells);
}

static int print_unknown_json(const struct ctl *ctl, const Herald__Distribution__V1__UnknownDelivery *delivery) {
    return ask_print_json(ctl, &herald_distribution_v1_unknown_delivery_schema, &delivery->base);
}

/* Reads a page. Returns: the exit status; list->page_token is empty after the last one */
static int read_unknown_page(struct ctl *ctl, struct herald_channel *channel,
                             Herald__Distribution__V1__ListUnknownDeliveriesRequest *request,
                             struct unknown_list *list) {
    const struct herald_call_options options = {.timeout_ms = ctl->arguments->timeout_ms};
    const Herald__Distribution__V1__ListUnknownDeliveriesResponse *response = NULL;
    struct herald_reply reply = {0};
    int status = CTL_OK;
    request->page_token = list->page_token;
    if (herald_distribution_v1_distribution_service_list_unknown_deliveries(channel, request, &options, &reply,
                                                                            &response) == HERALD_OK) {
        for (size_t i = 0; i < response->n_deliveries && status == CTL_OK; i++, list->count++) {
            if (ctl->arguments->format == CTL_JSON) {
                status = print_unknown_json(ctl, response->deliveries[i]);
            } else {
                add_unknown(list, response->deliveries[i], herald_wall_us());
            }
        }
        snprintf(list->page_token, sizeof(list->page_token), "%s", response->next_page_token);
    } else {
        report_reply(stderr, ctl->arguments->format, LIST_UNKNOWN->full_name, &reply);
        status = (int)report_status(&reply);
    }
    herald_reply_clear(&reply);
    return status;
}

static void print_unknown_list(const struct unknown_list *list) {
    if (list->count == 0) {
        puts("No delivery waits for a person to find out its outcome.");
        return;
    }
    table_print(&list->table, stdout);
    puts("\nLook whether the channel has the post, by its key or text, then:\n"
         "  -> heraldctl deliveries EVENT_ID resolve CHANNEL published|again|give-up");
}

static int show_unknown(struct ctl *ctl) {
    static const char *const heading[] = {"EVENT_ID", "CHANNEL", "SENT", "KEY", "USER"};
    Herald__Distribution__V1__ListUnknownDeliveriesRequest request =
        HERALD__DISTRIBUTION__V1__LIST_UNKNOWN_DELIVERIES_REQUEST__INIT;
    struct unknown_list list = {.table = {.columns = sizeof(heading) / sizeof(heading[0])}};
    struct herald_channel *channel = NULL;
    struct herald_error error;
    request.page_size = PAGE_SIZE;
    if (ctl->arguments->channel != NULL && !channel_of_word(ctl->arguments->channel, &request.channel)) {
        return CTL_USAGE;
    }
    if (ctl_remote_open(methods_url(ctl->arguments, &ctl->settings, LIST_UNKNOWN), ctl->settings.rpc_max_message_bytes,
                        NULL, &channel, &error) != HERALD_OK) {
        report_error(stderr, ctl->arguments->format, "deliveries", &error);
        return CTL_USAGE;
    }
    int status;
    table_add(&list.table, heading);
    do {
        status = read_unknown_page(ctl, channel, &request, &list);
    } while (status == CTL_OK && list.page_token[0] != '\0');
    if (status == CTL_OK && ctl->arguments->format == CTL_TABLE) {
        print_unknown_list(&list);
    }
    table_fini(&list.table);
    herald_channel_close(channel);
    return status;
}

int ctl_deliveries(struct ctl *ctl) {
    const struct ctl_arguments *arguments = ctl->arguments;
    if (arguments->unknown != (arguments->operand_count == 0)) {
        fputs("heraldctl: deliveries needs EVENT_ID or --unknown, one of them; see heraldctl deliveries --help\n",
              stderr);
        return CTL_USAGE;
    }
    return arguments->unknown             ? show_unknown(ctl)
           : arguments->operand_count > 1 ? deliveries_change(ctl)
                                          : show_event(ctl);
}
