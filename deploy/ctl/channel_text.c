#include "deploy/ctl/channel_text.h"

#include "deploy/ctl/clean.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/moment.h"
#include "deploy/ctl/table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define PAUSE_OF(name) HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name

#define SCREEN_COLUMNS 80
#define ADAPTER_COLUMN 1 /* the one that is left out first */
#define CELL_BYTES     32
#define TOKEN_WARN_US  (7 * INT64_C(86400000000))

typedef Herald__Distribution__V1__ChannelInfo channel_info;

static const char *name_of_channel(const channel_info *info) {
    return ctl_enum_name(&herald__distribution__v1__channel__descriptor, (int)info->channel);
}

/* The channel's section of the settings: its name in lower case. */
static void section_of_channel(const channel_info *info, char *ret_section, size_t bytes) {
    snprintf(ret_section, bytes, "%s", name_of_channel(info));
    for (char *at = ret_section; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
}

/* ---- troubles ---- */

static void pause_trouble(const channel_info *info, const char *section, struct channel_trouble *ret_trouble) {
    const char *cause = "paused";
    snprintf(ret_trouble->remedy, sizeof(ret_trouble->remedy),
             "find the cause; Herald tries again now and then, or at once after: heraldctl channel resume %s",
             name_of_channel(info));
    switch (info->pause) {
    case PAUSE_OF(PAUSED_BY_OPERATOR):
        cause = "paused by an operator";
        snprintf(ret_trouble->remedy, sizeof(ret_trouble->remedy), "heraldctl channel resume %s",
                 name_of_channel(info));
        break;
    case PAUSE_OF(PAUSED_FOR_CREDENTIAL):
        cause = "paused, because the channel refuses the credential";
        snprintf(ret_trouble->remedy, sizeof(ret_trouble->remedy),
                 "renew it in [%s] of the settings and restart herald-distribution; if it was mended at the channel, "
                 "it heals by itself",
                 section);
        break;
    case PAUSE_OF(PAUSED_FOR_CLOCK):
        cause = "paused, because the channel says that a clock is wrong";
        snprintf(ret_trouble->remedy, sizeof(ret_trouble->remedy),
                 "set the clock of herald-distribution's machine; it then heals by itself");
        break;
    case PAUSE_OF(PAUSED_FOR_DISABLED):
        cause = "paused, because the channel has switched this sender off";
        snprintf(ret_trouble->remedy, sizeof(ret_trouble->remedy),
                 "have the channel switch it on again; it then heals by itself");
        break;
    default:
        break;
    }
    snprintf(ret_trouble->problem, sizeof(ret_trouble->problem), "%s%s%s", cause,
             info->pause_text[0] != '\0' ? ": " : "", info->pause_text);
    clean_text(ret_trouble->problem);
}

static void breaker_trouble(const channel_info *info, int64_t now_us, struct channel_trouble *ret_trouble) {
    if (strcmp(info->breaker_state, "FORCED_OPEN") == 0 || strcmp(info->breaker_state, "DISABLED") == 0) {
        snprintf(ret_trouble->problem, sizeof(ret_trouble->problem), "an operator %s",
                 info->breaker_state[0] == 'F' ? "keeps its breaker open: nothing is sent"
                                               : "has switched its breaker off: all calls are made");
        snprintf(ret_trouble->remedy, sizeof(ret_trouble->remedy), "heraldctl channel auto %s", name_of_channel(info));
        return;
    }
    char until[MOMENT_BYTES] = "";
    if (info->breaker_until != NULL) {
        moment_text(info->breaker_until, now_us, until);
    }
    snprintf(ret_trouble->problem, sizeof(ret_trouble->problem), "its breaker is %s%s%s", info->breaker_state,
             until[0] != '\0' ? " until " : "", until);
    snprintf(ret_trouble->remedy, sizeof(ret_trouble->remedy),
             "look into the channel; it closes by itself, or at once after: heraldctl channel auto %s",
             name_of_channel(info));
    clean_text(ret_trouble->problem);
}

/* A token that ends within a week, though Herald renews it weeks before. */
static void token_trouble(const channel_info *info, int64_t now_us, struct channel_trouble *ret_trouble) {
    char at[MOMENT_BYTES];
    bool over = moment_us(info->token_expires_at) <= now_us;
    moment_clock(info->token_expires_at, now_us, at);
    snprintf(ret_trouble->problem, sizeof(ret_trouble->problem), "its credential %s %s, and Herald could not renew it",
             over ? "has ended at" : "ends at", at);
    char section[CELL_BYTES];
    section_of_channel(info, section, sizeof(section));
    snprintf(ret_trouble->remedy, sizeof(ret_trouble->remedy),
             "get a new one from the channel, write it in [%s] of the settings and restart herald-distribution",
             section);
}

size_t channel_troubles(const channel_info *info, int64_t now_us,
                        struct channel_trouble ret_troubles[CHANNEL_TROUBLES_MAX]) {
    char section[CELL_BYTES];
    size_t count = 0;
    section_of_channel(info, section, sizeof(section));
    memset(ret_troubles, 0, CHANNEL_TROUBLES_MAX * sizeof(*ret_troubles));
    if (!info->configured) {
        snprintf(ret_troubles[count].problem, sizeof(ret_troubles[count].problem),
                 "not configured: deliveries to it wait");
        snprintf(ret_troubles[count].remedy, sizeof(ret_troubles[count].remedy),
                 "complete [%s] in the settings of herald-distribution, and restart it", section);
        count++;
    }
    if (info->pause != PAUSE_OF(NOT_PAUSED)) {
        pause_trouble(info, section, &ret_troubles[count++]);
    }
    if (info->token_expires_at != NULL && moment_us(info->token_expires_at) - now_us <= TOKEN_WARN_US) {
        token_trouble(info, now_us, &ret_troubles[count++]);
    }
    if (strcmp(info->breaker_state, "CLOSED") != 0) {
        breaker_trouble(info, now_us, &ret_troubles[count++]);
    }
    if (info->quota_total > 0 && info->quota_used >= info->quota_total) {
        snprintf(ret_troubles[count++].problem, sizeof(ret_troubles[0].problem),
                 "its quota of %" PRIu32 " posts is used up: deliveries wait for its end", info->quota_total);
    }
    if (info->unknown > 0) {
        snprintf(ret_troubles[count].problem, sizeof(ret_troubles[count].problem),
                 "%" PRIu64 " deliver%s whose outcome only a person can find out", info->unknown,
                 info->unknown == 1 ? "y" : "ies");
        snprintf(ret_troubles[count].remedy, sizeof(ret_troubles[count].remedy),
                 "heraldctl deliveries --unknown --channel %s", name_of_channel(info));
        count++;
    }
    return count;
}

/* ---- the table ---- */

/* One word: what stops calls, or the breaker's state. */
static const char *state_of_channel(const channel_info *info) {
    return !info->configured ? "UNSET" : info->pause != PAUSE_OF(NOT_PAUSED) ? "PAUSED" : info->breaker_state;
}

static void rates_cell(const channel_info *info, char ret_cell[CELL_BYTES]) {
    snprintf(ret_cell, CELL_BYTES, "-");
    if (info->failure_rate >= 0 || info->slow_rate >= 0) {
        snprintf(ret_cell, CELL_BYTES, "%.0f/%.0f%%", (double)(info->failure_rate > 0 ? info->failure_rate : 0),
                 (double)(info->slow_rate > 0 ? info->slow_rate : 0));
    }
}

static void add_channel_row(struct table *table, const channel_info *info) {
    char rates[CELL_BYTES], calls[CELL_BYTES], waiting[CELL_BYTES], unknown[CELL_BYTES], quota[CELL_BYTES] = "-";
    rates_cell(info, rates);
    snprintf(calls, sizeof(calls), "%" PRIu32 "/%" PRIu32, info->in_flight, info->max_in_flight);
    snprintf(waiting, sizeof(waiting), "%" PRIu64, info->waiting);
    snprintf(unknown, sizeof(unknown), "%" PRIu64, info->unknown);
    if (info->quota_total > 0) {
        snprintf(quota, sizeof(quota), "%" PRIu32 "/%" PRIu32, info->quota_used, info->quota_total);
    }
    const char *cells[] = {
        name_of_channel(info), info->adapter, state_of_channel(info), rates, calls, waiting, unknown, quota,
    };
    table_add(table, cells);
}

void channel_text_print(channel_info *const *channels, size_t count, int64_t now_us, FILE *out) {
    static const char *const heading[] = {"CHANNEL", "ADAPTER", "STATE",   "FAIL/SLOW",
                                          "CALLS",   "WAITING", "UNKNOWN", "QUOTA"};
    struct table table = {.columns = sizeof(heading) / sizeof(heading[0])};
    struct channel_trouble troubles[CHANNEL_TROUBLES_MAX];
    table_add(&table, heading);
    for (size_t i = 0; i < count; i++) {
        add_channel_row(&table, channels[i]);
    }
    if (table_width_without(&table, table.columns) > SCREEN_COLUMNS + 2) {
        table_drop(&table, ADAPTER_COLUMN);
    }
    table_print(&table, out);
    table_fini(&table);
    for (size_t i = 0, shown = 0; i < count; i++) {
        size_t trouble_count = channel_troubles(channels[i], now_us, troubles);
        for (size_t j = 0; j < trouble_count; j++) {
            fprintf(out, "%s%s: %s\n", shown++ == 0 ? "\n" : "", name_of_channel(channels[i]), troubles[j].problem);
            if (troubles[j].remedy[0] != '\0') {
                fprintf(out, "  -> %s\n", troubles[j].remedy);
            }
        }
    }
}
