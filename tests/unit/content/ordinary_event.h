#ifndef HERALD_TESTS_CONTENT_ORDINARY_EVENT_H
#define HERALD_TESTS_CONTENT_ORDINARY_EVENT_H

#include "server/content/render.h"

/** What an ordinary shop has drawn. */
static const struct render_input ORDINARY = {
    .title = "동네 빵집 오픈 3주년 감사 이벤트",
    .prize = "시그니처 크루아상 세트 (20명)",
    .brand_color = "#E4572E",
    .store_name = "달콤한 하루 베이커리",
    .store_address = "서울 마포구 성미산로 123, 1층",
    .store_phone = "02-123-4567",
};

#endif
