/* Prints the steps and tables of the demo. Hangul takes two columns, so padding counts columns, not characters. */
#include "deploy/demo/report.h"

#include "herald/distribution/v1/distribution.schema.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static double ms_since(int64_t start_us) {
    return (double)(now_us() - start_us) / 1000.0;
}

void report_init(struct report *report) {
    report->started_us = now_us();
    report->step_us = report->started_us;
    report->terminal = isatty(STDOUT_FILENO) == 1;
}

void report_begin(struct report *report) {
    report->step_us = now_us();
}

static void clear_progress(const struct report *report) {
    if (report->terminal) {
        fputs("\r\033[K", stdout);
    }
}

void report_step(struct report *report, const char *name, const char *format, ...) {
    va_list args;
    clear_progress(report);
    printf("%9.1f ms  %-23s ", ms_since(report->step_us), name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void report_progress(struct report *report, const Herald__Job__V1__Job *job) {
    if (!report->terminal) {
        return;
    }
    char bar[21];
    size_t filled = job->progress_percent >= 100 ? 20 : job->progress_percent / 5;
    memset(bar, '-', sizeof(bar) - 1);
    memset(bar, '#', filled);
    bar[sizeof(bar) - 1] = '\0';
    clear_progress(report);
    printf("%9.1f ms  %-23s [%s] %u %%", ms_since(report->step_us), "JobService.WaitJob", bar, job->progress_percent);
    fflush(stdout);
}

void report_failure(struct report *report, const char *name, const struct herald_error *error) {
    clear_progress(report);
    fflush(stdout);
    fprintf(stderr, "%9.1f ms  %-23s FAILED: %s %s: %s\n", ms_since(report->step_us), name,
            herald_code_name((int)error->code), error->reason, error->message);
    for (uint32_t i = 0; i < error->detail_count && i < HERALD_ERROR_DETAILS_MAX; i++) {
        fprintf(stderr, "              %s: %s: %s\n", error->details[i].field, error->details[i].reason,
                error->details[i].message);
    }
}

static const char *const CHANNEL_NAMES[] = {
    [HERALD__DISTRIBUTION__V1__CHANNEL__WOORIDONGNE_TV] = "우리동네TV",
    [HERALD__DISTRIBUTION__V1__CHANNEL__RINGO_BIZ] = "링고비즈",
    [HERALD__DISTRIBUTION__V1__CHANNEL__GENIE_TV] = "지니TV",
    [HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM] = "Instagram",
    [HERALD__DISTRIBUTION__V1__CHANNEL__NAVER_BLOG] = "Naver Blog",
    [HERALD__DISTRIBUTION__V1__CHANNEL__KAKAO_CHANNEL] = "Kakao Channel",
};
static_assert(sizeof(CHANNEL_NAMES) / sizeof(CHANNEL_NAMES[0]) == HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT,
              "the demo has a name for each channel of the schema");

const char *channel_name(Herald__Distribution__V1__Channel channel) {
    bool is_known = channel > HERALD__DISTRIBUTION__V1__CHANNEL__CHANNEL_UNSPECIFIED &&
                    channel < HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT;
    return is_known ? CHANNEL_NAMES[channel] : "?";
}

const char *style_name(Herald__Job__V1__Style style) {
    switch (style) {
    case HERALD__JOB__V1__STYLE__SIMPLE:
        return "심플";
    case HERALD__JOB__V1__STYLE__FANCY:
        return "화려한";
    case HERALD__JOB__V1__STYLE__TRENDY:
        return "트렌디";
    default:
        return "?";
    }
}

/* Columns of a text on a terminal: characters of three bytes in UTF-8, such as Hangul, take two. */
static int columns_of(const char *text) {
    int columns = 0;
    for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++) {
        if ((*byte & 0xC0) != 0x80) {
            columns += *byte >= 0xE0 ? 2 : 1;
        }
    }
    return columns;
}

static void print_padded(const char *text, int columns) {
    int missing = columns - columns_of(text);
    printf("%s%*s", text, missing > 0 ? missing : 0, "");
}

static int64_t result_time_us(const Google__Protobuf__Timestamp *timestamp) {
    return timestamp->seconds * 1000000 + timestamp->nanos / 1000;
}

static void print_next_attempt(const Google__Protobuf__Timestamp *next_attempt_at) {
    time_t at = next_attempt_at ? (time_t)next_attempt_at->seconds : 0;
    struct tm local;
    char text[32];
    if (next_attempt_at && localtime_r(&at, &local) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) > 0) {
        printf("goes on by itself at %s", text);
    } else {
        printf("goes on by itself now");
    }
}

/* The post; else when Herald goes on by itself, or what a person does, and why. */
static void print_what_follows(const Herald__Distribution__V1__ChannelResult *result) {
    switch (result->outlook) {
    case HERALD__DISTRIBUTION__V1__OUTLOOK__GOES_ON:
        print_next_attempt(result->next_attempt_at);
        printf("; %s: %s\n", result->reason, result->message);
        break;
    case HERALD__DISTRIBUTION__V1__OUTLOOK__NEEDS_PERSON:
        printf("%s\n", result->owner_text_en);
        break;
    case HERALD__DISTRIBUTION__V1__OUTLOOK__REFUSED:
        printf("%s: %s\n", result->reason, *result->owner_text_en ? result->owner_text_en : result->message);
        break;
    default:
        printf("%s\n", *result->post_url ? result->post_url : result->remote_id);
        break;
    }
}

void report_channels(const Herald__Distribution__V1__ChannelResult *const *results, size_t count) {
    printf("\n  %-15s%-18s%10s  %s\n", "Channel", "Result", "Time", "Post, or what follows");
    for (size_t i = 0; i < count; i++) {
        const Herald__Distribution__V1__ChannelResult *result = results[i];
        printf("  ");
        print_padded(channel_name(result->channel), 15);
        printf("%-18s", herald_distribution_v1_delivery_state_name(result->state));
        if (result->started_at && result->finished_at) {
            double ms = (double)(result_time_us(result->finished_at) - result_time_us(result->started_at)) / 1000.0;
            printf("%7.1f ms  ", ms);
        } else {
            printf("%10s  ", "-");
        }
        print_what_follows(result);
    }
}

/* A picture's URL ends in JOB/FILE, and so does its place in the worker's folder. */
static bool report_file(const char *url, const char *content_dir) {
    const char *name = strrchr(url, '/');
    char file[1024];
    struct stat info;
    while (name && name > url && name[-1] != '/') {
        name--;
    }
    if (!name || snprintf(file, sizeof(file), "%s/%s", content_dir, name) >= (int)sizeof(file)) {
        fprintf(stderr, "The URL %s names no file.\n", url);
        return false;
    }
    if (stat(file, &info) != 0 || info.st_size == 0) {
        fprintf(stderr, "The picture %s is not there.\n", file);
        return false;
    }
    printf("          %s  (%lld KiB)\n", file, (long long)(info.st_size + 1023) / 1024);
    return true;
}

bool report_pictures(const Herald__Job__V1__Job *job, const char *content_dir) {
    bool complete = true;
    printf("\n  Pictures\n");
    for (size_t i = 0; i < job->n_pictures; i++) {
        const Herald__Job__V1__Picture *picture = job->pictures[i];
        printf("  ");
        print_padded(style_name(picture->style), 8);
        printf("%s\n          %s\n", picture->png_url, picture->jpeg_url);
        if (content_dir) {
            complete &= report_file(picture->png_url, content_dir);
            complete &= report_file(picture->jpeg_url, content_dir);
        }
    }
    for (size_t i = 0; i < job->n_warnings; i++) {
        printf("  warning: %s\n", job->warnings[i]);
    }
    fflush(stdout);
    return complete;
}

void report_total(const struct report *report, const char *user_id, const char *event_id, const char *http_url) {
    printf("\nFrom the draft to six channels in %.2f s. The event belongs to the user %s.\n",
           ms_since(report->started_us) / 1000.0, user_id);
    if (http_url) {
        printf("The console shows it at %s/#/events/%s?user=%s\n", http_url, event_id, user_id);
    }
}
