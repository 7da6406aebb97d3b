#ifndef HERALD_DISTRIBUTION_DISTRIBUTION_SERVICE_H
#define HERALD_DISTRIBUTION_DISTRIBUTION_SERVICE_H

#include "herald/distribution/v1/distribution.server.h"
#include "server/distribution/delivery_store.h"
#include "server/distribution/engine.h"

/* The state of DistributionService's handlers on one loop. Each handler has a file, named after its RPC. */
struct distribution_service {
    const struct settings *settings;
    uint32_t budget_ms; /* longest time of a caller's wait */
    struct engine engine;
};

/** A distribution with its deliveries. */
struct loaded_distribution {
    struct distribution_row row;
    struct delivery_row *deliveries;
    size_t count;
};
/**
 * Reads an event's distribution for a user. Another user's is not found, by the same words.
 *
 * @user_id  of the request; empty: the caller may see all, as servers and operators may
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (DISTRIBUTION_NOT_FOUND) | as db_run()
 */
TASK_FN enum herald_code distribution_load_of(const struct distribution_service *service, const char *event_id,
                                              const char *user_id, struct loaded_distribution *ret_loaded,
                                              struct herald_error *reterr);
/** The delivery of a channel; NULL: there is none. */
struct delivery_row *distribution_delivery_of(const struct loaded_distribution *loaded, int channel);
/**
 * The same, with an error where there is none.
 *
 * Returns: HERALD_OK | HERALD_NOT_FOUND (DELIVERY_NOT_FOUND)
 */
enum herald_code distribution_find_delivery(const struct loaded_distribution *loaded, int channel,
                                            struct delivery_row **ret_delivery, struct herald_error *reterr);

#endif
