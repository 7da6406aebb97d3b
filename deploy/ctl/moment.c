#include "deploy/ctl/moment.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_US INT64_C(1000000)

int64_t moment_us(const Google__Protobuf__Timestamp *moment) {
    return moment != NULL ? moment->seconds * SECOND_US + moment->nanos / 1000 : 0;
}

void moment_clock(const Google__Protobuf__Timestamp *moment, int64_t now_us, char ret_text[MOMENT_BYTES]) {
    struct tm local, today;
    ret_text[0] = '\0';
    if (moment == NULL) {
        return;
    }
    time_t at = (time_t)moment->seconds, now = (time_t)(now_us / SECOND_US);
    if (localtime_r(&at, &local) == NULL || localtime_r(&now, &today) == NULL) {
        return;
    }
    bool same_day = local.tm_year == today.tm_year && local.tm_yday == today.tm_yday;
    strftime(ret_text, MOMENT_BYTES, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &local);
}

void moment_text(const Google__Protobuf__Timestamp *moment, int64_t now_us, char ret_text[MOMENT_BYTES]) {
    static const struct {
        int64_t from_s, unit_s;
        const char *name;
    } units[] = {{172800, 86400, "days"}, {7200, 3600, "h"}, {120, 60, "min"}, {1, 1, "s"}};
    moment_clock(moment, now_us, ret_text);
    size_t length = strlen(ret_text);
    int64_t away_s = (moment_us(moment) - now_us + SECOND_US - 1) / SECOND_US;
    if (length == 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (away_s >= units[i].from_s) {
            snprintf(ret_text + length, MOMENT_BYTES - length, " (in %" PRId64 " %s)", away_s / units[i].unit_s,
                     units[i].name);
            return;
        }
    }
    snprintf(ret_text + length, MOMENT_BYTES - length, " (now)");
}
