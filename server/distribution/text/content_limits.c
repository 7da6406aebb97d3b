#include "server/distribution/text/content_limits.h"

#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/distribution/v1/distribution.schema.h"

#include <assert.h>

#define CHANNEL(name) .channel = HERALD__DISTRIBUTION__V1__CHANNEL__##name

/* Standard Webhooks: "payloads should be smaller than 20 kB"; pictures go as links. */
#define WEBHOOK_MAX_BYTES 19999
#define WEBHOOK           .text_ko = "본문", .text_en = "text", .payload_max_bytes = WEBHOOK_MAX_BYTES

static const struct content_limits LIMITS[] = {
    {CHANNEL(WOORIDONGNE_TV), .name_ko = "우리동네TV", .name_en = "Wooridongne TV", WEBHOOK},
    {CHANNEL(RINGO_BIZ), .name_ko = "링고비즈", .name_en = "RingoBiz", WEBHOOK},
    {CHANNEL(GENIE_TV), .name_ko = "지니TV", .name_en = "Genie TV", WEBHOOK},
    {CHANNEL(INSTAGRAM), .name_ko = "인스타그램", .name_en = "Instagram", .text_ko = "사진 설명", .text_en = "caption",
     .text = {2200, TEXT_CODE_POINTS}, .text_with_picture = {2200, TEXT_CODE_POINTS}, .hashtags_max = 30,
     .mentions_max = 3, .needs_picture = true},
    {CHANNEL(NAVER_BLOG), .name_ko = "네이버 블로그", .name_en = "Naver Blog", .text_ko = "본문", .text_en = "text"},
    {CHANNEL(KAKAO_CHANNEL), .name_ko = "카카오톡 채널", .name_en = "Kakao Channel", .text_ko = "본문",
     .text_en = "text", .text = {400, TEXT_CODE_POINTS}, .text_with_picture = {300, TEXT_CODE_POINTS},
     .button = {8, TEXT_CODE_POINTS}, .may_cut = true},
};
#define LIMITS_COUNT (sizeof(LIMITS) / sizeof(LIMITS[0]))
static_assert(LIMITS_COUNT == HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1, "each channel of the schema has one row");

const struct content_limits *content_limits_find(int channel) {
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        if (LIMITS[i].channel == channel) {
            return &LIMITS[i];
        }
    }
    return NULL;
}

struct content_limit content_limits_text(const struct content_limits *limits, bool has_picture) {
    return has_picture ? limits->text_with_picture : limits->text;
}
