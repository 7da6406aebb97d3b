/*
 * Calendar arithmetic on the proleptic Gregorian calendar, in days since 1970-01-01. It depends on no time zone, no
 * locale and not on the range of time_t. The formulas count years from March, so that a leap day ends its year.
 */
#include "client/json/timestamp.h"

#include "client/base/ascii.h"

#include <stdio.h>
#include <string.h>

#define SECONDS_A_DAY INT64_C(86400)
#define MIN_SECONDS   INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define MAX_SECONDS   INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

struct date {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
};

static int64_t days_of_date(struct date date) {
    int64_t year = date.year - (date.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = (date.month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct date date_of_days(int64_t days) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    struct date date = {
        .month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9),
        .day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
    date.year = year_of_era + era * 400 + (date.month <= 2);
    return date;
}

bool herald_timestamp_write(int64_t seconds, int32_t nanos, char ret_text[HERALD_TIMESTAMP_TEXT_BYTES]) {
    if (seconds < MIN_SECONDS || seconds > MAX_SECONDS || nanos < 0 || nanos > 999999999) {
        return false;
    }
    int64_t days = (seconds - MIN_SECONDS) / SECONDS_A_DAY + MIN_SECONDS / SECONDS_A_DAY;
    unsigned second_of_day = (unsigned)(seconds - days * SECONDS_A_DAY);
    struct date date = date_of_days(days);
    int used = snprintf(ret_text, HERALD_TIMESTAMP_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)date.year,
                        date.month, date.day, second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    char *to = ret_text + used;
    size_t left = HERALD_TIMESTAMP_TEXT_BYTES - (size_t)used;
    if (nanos == 0) {
        snprintf(to, left, "Z");
    } else if (nanos % 1000000 == 0) {
        snprintf(to, left, ".%03dZ", nanos / 1000000);
    } else if (nanos % 1000 == 0) {
        snprintf(to, left, ".%06dZ", nanos / 1000);
    } else {
        snprintf(to, left, ".%09dZ", nanos);
    }
    return true;
}

/* Reads exactly @digits digits, then @after (unless it is '\0'). */
static bool take_digits(const char **at, const char *end, int digits, char after, unsigned *ret_value) {
    unsigned value = 0;
    for (int i = 0; i < digits; i++) {
        if (*at >= end || !herald_is_digit(**at)) {
            return false;
        }
        value = value * 10 + (unsigned)(*(*at)++ - '0');
    }
    if (after != '\0' && (*at >= end || *(*at)++ != after)) {
        return false;
    }
    *ret_value = value;
    return true;
}

static bool take_fraction(const char **at, const char *end, int32_t *ret_nanos) {
    *ret_nanos = 0;
    if (*at >= end || **at != '.') {
        return true;
    }
    (*at)++;
    int digits = 0;
    for (; *at < end && herald_is_digit(**at) && digits < 9; digits++) {
        *ret_nanos = *ret_nanos * 10 + (*(*at)++ - '0');
    }
    for (int i = digits; i < 9; i++) {
        *ret_nanos *= 10;
    }
    return digits > 0;
}

/* Reads "Z", "z" or "+hh:mm". @ret_offset  seconds east of UTC */
static bool take_offset(const char **at, const char *end, int64_t *ret_offset) {
    if (*at >= end) {
        return false;
    }
    char sign = *(*at)++;
    *ret_offset = 0;
    if (sign == 'Z' || sign == 'z') {
        return true;
    }
    unsigned hours, minutes;
    if ((sign != '+' && sign != '-') || !take_digits(at, end, 2, ':', &hours) ||
        !take_digits(at, end, 2, '\0', &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    int64_t offset = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *ret_offset = sign == '-' ? -offset : offset;
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool herald_timestamp_read(const char *text, size_t bytes, int64_t *ret_seconds, int32_t *ret_nanos) {
    const char *at = text;
    const char *end = text + bytes;
    unsigned year, month, day, hour, minute, second;
    int32_t nanos;
    int64_t offset;
    if (!take_digits(&at, end, 4, '-', &year) || !take_digits(&at, end, 2, '-', &month) ||
        !take_digits(&at, end, 2, '\0', &day) || at >= end || (*at != 'T' && *at != 't')) {
        return false;
    }
    at++;
    if (!take_digits(&at, end, 2, ':', &hour) || !take_digits(&at, end, 2, ':', &minute) ||
        !take_digits(&at, end, 2, '\0', &second) || !take_fraction(&at, end, &nanos) ||
        !take_offset(&at, end, &offset) || at != end) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
        second > 59) {
        return false;
    }
    int64_t seconds = days_of_date((struct date){year, month, day}) * SECONDS_A_DAY + (int64_t)hour * 3600 +
                      (int64_t)minute * 60 + (int64_t)second - offset;
    if (seconds < MIN_SECONDS || seconds > MAX_SECONDS) {
        return false;
    }
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return true;
}
