#include "server/distribution/distribution_service.h"

#include "server/distribution/channels.h"
#include "server/distribution/distribution_log.h"

#include <string.h>

LOG_EVENTS(DISTRIBUTION_LOG)

/* Whether the caller may see the distribution of the owner. Of the class client, a caller always names a user: the
 * server's check of credentials refuses it otherwise. */
static bool may_see(const char *owner, const char *user_id) {
    return user_id[0] == '\0' || strcmp(owner, user_id) == 0;
}

TASK_FN enum herald_code distribution_load_of(const struct distribution_service *service, const char *event_id,
                                              const char *user_id, struct loaded_distribution *ret_loaded,
                                              struct herald_error *reterr) {
    struct loaded_distribution loaded = {0};
    enum herald_code code =
        delivery_store_load(service->engine.db, event_id, &loaded.row, &loaded.deliveries, &loaded.count, reterr);
    if (code == HERALD_OK && !may_see(loaded.row.owner, user_id)) {
        code = herald_error_set(reterr, HERALD_REASON_DISTRIBUTION_NOT_FOUND, DISTRIBUTION_NOT_FOUND_TEXT);
    }
    if (code == HERALD_OK) {
        *ret_loaded = loaded;
    }
    return code;
}

struct delivery_row *distribution_delivery_of(const struct loaded_distribution *loaded, int channel) {
    for (size_t i = 0; i < loaded->count; i++) {
        if (loaded->deliveries[i].channel == channel) {
            return &loaded->deliveries[i];
        }
    }
    return NULL;
}

enum herald_code distribution_find_delivery(const struct loaded_distribution *loaded, int channel,
                                            struct delivery_row **ret_delivery, struct herald_error *reterr) {
    struct delivery_row *found = distribution_delivery_of(loaded, channel);
    if (found == NULL) {
        return herald_error_set(reterr, HERALD_REASON_DELIVERY_NOT_FOUND, "the event has no delivery to %s",
                                channel_name(channel));
    }
    *ret_delivery = found;
    return HERALD_OK;
}
