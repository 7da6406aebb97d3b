#include "deploy/ctl/delivery_text.h"

#include "deploy/ctl/clean.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/must.h"
#include "deploy/ctl/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STATE_OF(name)   HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define OVERDUE_US       5000000 /* due for longer: servers look every second */
#define OUTLOOK_OF(name) HERALD__DISTRIBUTION__V1__OUTLOOK__##name

typedef Herald__Distribution__V1__ChannelResult channel_result;

static const char *name_of_result(const channel_result *result) {
    return ctl_enum_name(&herald__distribution__v1__channel__descriptor, (int)result->channel);
}

static void goes_on_text(const channel_result *result, int64_t now_us, char ret_text[FOLLOWS_BYTES]) {
    char at[MOMENT_BYTES], until[MOMENT_BYTES];
    bool overdue = result->next_attempt_at != NULL && moment_us(result->next_attempt_at) < now_us - OVERDUE_US;
    moment_clock(result->expires_at, now_us, until);
    if (overdue) { /* nobody has taken it: a pause, an open breaker, no place */
        moment_clock(result->next_attempt_at, now_us, at);
    } else {
        moment_text(result->next_attempt_at, now_us, at);
    }
    snprintf(ret_text, FOLLOWS_BYTES, "%s%s%s%s",
             overdue         ? "goes on when the channel takes calls, due since "
             : at[0] != '\0' ? "goes on by itself at "
                             : "is under way",
             at, until[0] != '\0' ? ", gives up at " : "", until);
}

/* What a person does; the words of the commands are those of heraldctl deliveries. */
static const char *person_text(const channel_result *result) {
    switch (result->state) {
    case STATE_OF(AWAITING_OPERATOR):
        return "a person posts it, then: confirm";
    case STATE_OF(NEEDS_AUTH):
        return "a person renews the channel's credential; it then goes on";
    case STATE_OF(OUTCOME_UNKNOWN):
        return "a person looks whether the channel has it, then: resolve";
    default:
        return "a person must act";
    }
}

void delivery_follows(const channel_result *result, int64_t now_us, char ret_text[FOLLOWS_BYTES]) {
    switch (result->outlook) {
    case OUTLOOK_OF(GOES_ON):
        goes_on_text(result, now_us, ret_text);
        break;
    case OUTLOOK_OF(NEEDS_PERSON):
        snprintf(ret_text, FOLLOWS_BYTES, "%s", person_text(result));
        break;
    case OUTLOOK_OF(REFUSED):
        snprintf(ret_text, FOLLOWS_BYTES, "it is over; retry begins anew");
        break;
    default:
        snprintf(ret_text, FOLLOWS_BYTES, "%s%s%s", result->remote_id,
                 result->remote_id[0] != '\0' && result->post_url[0] != '\0' ? "  " : "", result->post_url);
        break;
    }
}

/* Prints a text from elsewhere, without control characters. */
static void print_clean(FILE *out, const char *before, const char *text) {
    char *copy = clean_text(ctl_must(strdup(text)));
    fprintf(out, "%s%s", before, copy);
    free(copy);
}

/* The command with which a person goes on; none if Herald does so by itself. */
static void print_next_command(const char *event_id, const channel_result *result, FILE *out) {
    const char *name = name_of_result(result);
    if (result->state == STATE_OF(AWAITING_OPERATOR)) {
        fprintf(out,
                "  -> heraldctl deliveries %s preview %s, then\n"
                "     heraldctl deliveries %s confirm %s URL\n",
                event_id, name, event_id, name);
    } else if (result->state == STATE_OF(OUTCOME_UNKNOWN) && result->outlook == OUTLOOK_OF(NEEDS_PERSON)) {
        fprintf(out, "  -> heraldctl deliveries %s resolve %s published|again|give-up\n", event_id, name);
    } else if (result->outlook == OUTLOOK_OF(REFUSED)) {
        fprintf(out, "  -> heraldctl deliveries %s retry %s\n", event_id, name);
    }
}

static void print_delivery_reasons(const char *event_id, const channel_result *result, FILE *out) {
    fprintf(out, "\n%s:", name_of_result(result));
    if (result->reason[0] != '\0') {
        print_clean(out, " ", result->reason);
    }
    if (result->message[0] != '\0') {
        print_clean(out, result->reason[0] != '\0' ? ": " : " ", result->message);
    }
    fputc('\n', out);
    if (result->owner_text_en[0] != '\0') {
        print_clean(out, "  ", result->owner_text_en);
        fputc('\n', out);
    }
    print_next_command(event_id, result, out);
}

void delivery_text_print(const char *event_id, channel_result *const *results, size_t count, int64_t now_us,
                         FILE *out) {
    static const char *const heading[] = {"CHANNEL", "STATE", "ATTEMPTS", "WHAT FOLLOWS"};
    struct table table = {.columns = sizeof(heading) / sizeof(heading[0])};
    table_add(&table, heading);
    for (size_t i = 0; i < count; i++) {
        char attempts[16], follows[FOLLOWS_BYTES];
        snprintf(attempts, sizeof(attempts), "%u", (unsigned)results[i]->attempts);
        delivery_follows(results[i], now_us, follows);
        const char *cells[] = {
            name_of_result(results[i]),
            ctl_enum_name(&herald__distribution__v1__delivery_state__descriptor, (int)results[i]->state),
            attempts,
            follows,
        };
        table_add(&table, cells);
    }
    table_print(&table, out);
    table_fini(&table);
    for (size_t i = 0; i < count; i++) {
        if (results[i]->reason[0] != '\0' || results[i]->message[0] != '\0' || results[i]->owner_text_en[0] != '\0') {
            print_delivery_reasons(event_id, results[i], out);
        }
    }
}
