#include "server/distribution/channels.h"

#include "herald/distribution/v1/distribution.pb-c.h"

#include <assert.h>
#include <stddef.h>

#define UNKNOWN "UNKNOWN"

#define ROW(name_, path_) {.number = HERALD__DISTRIBUTION__V1__CHANNEL__##name_, .name = #name_, .path = (path_)}

static const struct channel_row ROWS[] = {
    ROW(WOORIDONGNE_TV, "WOORIDONGNE_TV"), ROW(RINGO_BIZ, "RINGO_BIZ"),   ROW(GENIE_TV, "GENIE_TV"),
    ROW(INSTAGRAM, "INSTAGRAM"),           ROW(NAVER_BLOG, "NAVER_BLOG"), ROW(KAKAO_CHANNEL, "KAKAO_CHANNEL"),
};
static_assert(sizeof(ROWS) / sizeof(ROWS[0]) == CHANNEL_COUNT, "each channel of the schema has one row");

const struct channel_row *channel_find(int number) {
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        if (ROWS[i].number == number) {
            return &ROWS[i];
        }
    }
    return NULL;
}

const char *channel_name(int number) {
    const struct channel_row *row = channel_find(number);
    return row != NULL ? row->name : UNKNOWN;
}

const char *channel_path(int number) {
    const struct channel_row *row = channel_find(number);
    return row != NULL ? row->path : UNKNOWN;
}
