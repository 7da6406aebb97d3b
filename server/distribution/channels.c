#include "server/distribution/channels.h"

#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/distribution_settings.h"

#include <assert.h>
#include <string.h>

#define UNKNOWN_CHANNEL "UNKNOWN"
#define KST_MIN         540 /* minutes east of UTC; Korea has no summer time */
#define DAY_MIN         1440
#define MINUTE_US       60000000LL

/* What the settings of a channel leave out is taken from [channels]. */
static uint32_t or_common(uint32_t own, uint32_t common) {
    return own != 0 ? own : common;
}

static const char *own_or(const char *own, const char *common) {
    return own[0] != '\0' ? own : common;
}

/* Settings that every channel has, under its own section. */
#define COMMON_SETUP(section, common)                                                                                  \
    .timeout_ms = or_common(own->section##_timeout_ms, (common)->channels_timeout_ms),                                 \
    .in_flight = or_common(own->section##_in_flight, (common)->channels_in_flight),                                    \
    .rate_per_s = or_common(own->section##_rate_per_s, (common)->channels_rate_per_s)

#define WEBHOOK_SETUP(section)                                                                                         \
    static void setup_##section(const struct settings *settings, struct channel_setup *ret_setup) {                    \
        const struct section##_settings *own = section##_settings(settings);                                           \
        const struct channels_settings *common = channels_settings(settings);                                          \
        *ret_setup = (struct channel_setup){                                                                           \
            .url = own->section##_url,                                                                                 \
            .base = common->channels_url,                                                                              \
            .secret = own_or(own->section##_secret, common->channels_secret),                                          \
            .account = "",                                                                                             \
            .key = "",                                                                                                 \
            .sender = "",                                                                                              \
            .option = "",                                                                                              \
            COMMON_SETUP(section, common),                                                                             \
        };                                                                                                             \
    }
WEBHOOK_SETUP(wooridongne_tv)
WEBHOOK_SETUP(ringo_biz)
WEBHOOK_SETUP(genie_tv)

static void setup_instagram(const struct settings *settings, struct channel_setup *ret_setup) {
    const struct instagram_settings *own = instagram_settings(settings);
    const struct channels_settings *common = channels_settings(settings);
    *ret_setup = (struct channel_setup){
        .url = own->instagram_url,
        .base = "",
        .secret = own->instagram_token,
        .account = own->instagram_account,
        .key = "",
        .sender = "",
        .option = "",
        COMMON_SETUP(instagram, common),
    };
}

static void setup_naver_blog(const struct settings *settings, struct channel_setup *ret_setup) {
    const struct naver_blog_settings *own = naver_blog_settings(settings);
    const struct channels_settings *common = channels_settings(settings);
    *ret_setup = (struct channel_setup){
        .url = own->naver_blog_url,
        .base = "",
        .secret = "",
        .account = "",
        .key = "",
        .sender = "",
        .option = "",
        COMMON_SETUP(naver_blog, common),
    };
}

static void setup_kakao_channel(const struct settings *settings, struct channel_setup *ret_setup) {
    const struct kakao_channel_settings *own = kakao_channel_settings(settings);
    const struct channels_settings *common = channels_settings(settings);
    *ret_setup = (struct channel_setup){
        .url = own->kakao_channel_url,
        .base = "",
        .secret = own->kakao_channel_secret,
        .account = own->kakao_channel_service,
        .key = own->kakao_channel_access_key,
        .sender = own->kakao_channel_sender,
        .option = own->kakao_channel_targeting,
        .keeps_quiet_hours = own->kakao_channel_quiet_hours,
        COMMON_SETUP(kakao_channel, common),
    };
}

#define IN_SCHEMA(name_) .number = HERALD__DISTRIBUTION__V1__CHANNEL__##name_, .name = #name_

const struct channel_row channel_rows[] = {
    {IN_SCHEMA(WOORIDONGNE_TV), .display_name = "우리동네TV", .adapter = &webhook_adapter, .can = {.idempotency = true},
     .setup = setup_wooridongne_tv},
    {IN_SCHEMA(RINGO_BIZ), .display_name = "링고비즈", .adapter = &webhook_adapter, .can = {.idempotency = true},
     .setup = setup_ringo_biz},
    {IN_SCHEMA(GENIE_TV), .display_name = "지니TV", .adapter = &webhook_adapter, .can = {.idempotency = true},
     .setup = setup_genie_tv},
    {IN_SCHEMA(INSTAGRAM), .display_name = "Instagram", .adapter = &instagram_adapter,
     .can = {.idempotency = true, .look_up = true, .metrics = true, .quota = true}, .setup = setup_instagram},
    {IN_SCHEMA(NAVER_BLOG), .display_name = "네이버 블로그", .adapter = &naver_adapter,
     .can = {.assisted = true, .edit = true, .unpublish = true}, .setup = setup_naver_blog},
    {IN_SCHEMA(KAKAO_CHANNEL), .display_name = "카카오톡 채널", .adapter = &kakao_adapter,
     .can = {.idempotency = true, .look_up = true, .quiet_hours = true}, .quiet_from_min = 20 * 60 + 50,
     .quiet_to_min = 8 * 60, .quiet_offset_min = KST_MIN, .setup = setup_kakao_channel},
};
static_assert(sizeof(channel_rows) / sizeof(channel_rows[0]) == CHANNEL_COUNT,
              "each channel of the schema has one row");

const struct channel_row *channel_find(int number) {
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        if (channel_rows[i].number == number) {
            return &channel_rows[i];
        }
    }
    return NULL;
}

size_t channel_index(const struct channel_row *row) {
    return (size_t)(row - channel_rows);
}

const char *channel_name(int number) {
    const struct channel_row *row = channel_find(number);
    return row != NULL ? row->name : UNKNOWN_CHANNEL;
}

int64_t channel_quiet_until_us(const struct channel_row *row, int64_t now_us) {
    if (row->quiet_from_min == row->quiet_to_min) {
        return now_us;
    }
    const int64_t day_us = DAY_MIN * MINUTE_US;
    int64_t of_day_us = (now_us % day_us + row->quiet_offset_min * MINUTE_US) % day_us; /* before 1970: negative */
    of_day_us += of_day_us < 0 ? day_us : 0;
    int64_t from_us = row->quiet_from_min * MINUTE_US, to_us = row->quiet_to_min * MINUTE_US;
    bool over_midnight = from_us > to_us;
    bool is_quiet =
        over_midnight ? of_day_us >= from_us || of_day_us < to_us : of_day_us >= from_us && of_day_us < to_us;
    if (!is_quiet) {
        return now_us;
    }
    int64_t wait_us = to_us - of_day_us + (of_day_us >= to_us ? day_us : 0);
    return now_us <= INT64_MAX - wait_us ? now_us + wait_us : INT64_MAX;
}
