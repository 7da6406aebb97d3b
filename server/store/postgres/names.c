#include "server/store/postgres/names.h"

#include <string.h>

#define NAMES(variable, ...)                                                                                           \
    static const char *const variable##_names[] = {NULL, __VA_ARGS__};                                                 \
    const struct db_names variable = {variable##_names, sizeof(variable##_names) / sizeof(variable##_names[0])}

NAMES(db_event_statuses, "DRAFT", "APPROVED", "ACTIVE", "ENDED");
NAMES(db_objectives, "NEW_CUSTOMERS", "REPEAT_VISITS", "SALES", "AWARENESS");
NAMES(db_job_statuses, "PENDING", "RUNNING", "COMPLETED", "FAILED");
NAMES(db_styles, "SIMPLE", "FANCY", "TRENDY");
NAMES(db_channels, "WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV", "INSTAGRAM", "NAVER_BLOG", "KAKAO_CHANNEL");
NAMES(db_delivery_states, "PENDING", "DEFERRED", "PREPARING", "READY", "COMMITTING", "PUBLISHED", "AWAITING_OPERATOR",
      "REJECTED", "NEEDS_AUTH", "OUTCOME_UNKNOWN", "RECONCILING");
NAMES(db_outbox_kinds, "KAFKA", "CACHE_DELETE");

const char *db_name_of(const struct db_names *names, int number) {
    return number > 0 && number < names->count ? names->names[number] : NULL;
}

int db_number_of(const struct db_names *names, const char *name, size_t bytes) {
    for (int number = 1; number < names->count; number++) {
        if (strlen(names->names[number]) == bytes && memcmp(names->names[number], name, bytes) == 0) {
            return number;
        }
    }
    return 0;
}
