#include "deploy/demo/shops.h"

static const struct shop_event SHOP_EVENTS[] = {
    {
        .store_name = "행복한 치킨집",
        .store_address = "서울시 마포구 월드컵로 12",
        .store_phone = "02-312-4567",
        .title = "봄맞이 단골 감사 이벤트",
        .prize = "후라이드 치킨 1마리 (30명)",
        .brand_color = "#E4572E",
        .objective = HERALD__EVENT__V1__OBJECTIVE__REPEAT_VISITS,
        .idea_id = "rec-regulars-01",
        .idea_title = "단골 손님 추첨",
        .idea_summary = "최근 한 달 동안 두 번 이상 오신 손님 중 30분을 뽑아 후라이드 치킨 한 마리를 드립니다.",
        .style = HERALD__JOB__V1__STYLE__FANCY,
    },
    {
        .store_name = "카페 온도",
        .store_address = "부산시 수영구 광안해변로 201",
        .store_phone = "051-758-1023",
        .title = "오픈 1주년, 커피 한 잔 더!",
        .prize = "아메리카노 1+1 쿠폰 (100명)",
        .brand_color = "#2E6F95",
        .objective = HERALD__EVENT__V1__OBJECTIVE__NEW_CUSTOMERS,
        .idea_id = "rec-anniversary-07",
        .idea_title = "1주년 친구 초대",
        .idea_summary = "친구와 함께 오시면 한 잔 더! 1주년을 맞아 선착순 100분께 1+1 쿠폰을 드립니다.",
        .style = HERALD__JOB__V1__STYLE__TRENDY,
    },
    {
        .store_name = "수아 미용실",
        .store_address = "대전시 유성구 대학로 88",
        .store_phone = "042-861-3390",
        .title = "새 학기 새 머리 이벤트",
        .prize = "펌·염색 30% 할인권",
        .brand_color = "#B5446E",
        .objective = HERALD__EVENT__V1__OBJECTIVE__SALES,
        .idea_id = "rec-semester-03",
        .idea_title = "새 학기 스타일 변신",
        .idea_summary = "새 학기를 맞아 펌과 염색을 30% 할인해 드립니다. 예약하실 때 이 글을 보여 주세요.",
        .style = HERALD__JOB__V1__STYLE__SIMPLE,
    },
};

const struct shop_event *shop_event_pick(unsigned number) {
    return &SHOP_EVENTS[number % (sizeof(SHOP_EVENTS) / sizeof(SHOP_EVENTS[0]))];
}
