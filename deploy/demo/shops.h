#ifndef HERALD_DEPLOY_DEMO_SHOPS_H
#define HERALD_DEPLOY_DEMO_SHOPS_H

#include "herald/event/v1/event.pb-c.h"

/** The input of a shop owner; all text is UTF-8. */
struct shop_event {
    const char *store_name;
    const char *store_address;
    const char *store_phone;
    const char *title;
    const char *prize;
    const char *brand_color; /* "#RRGGBB" */
    Herald__Event__V1__Objective objective;
    const char *idea_id;
    const char *idea_title;
    const char *idea_summary;
    Herald__Job__V1__Style style; /* of the picture that the owner chooses */
};

/** One of the invented shops. @number  any; taken modulo their count. Static. */
const struct shop_event *shop_event_pick(unsigned number);

#endif
