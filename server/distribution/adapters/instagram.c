/* To be written. */
#include "server/distribution/adapters/adapters.h"

static bool instagram_is_configured(const struct channel_setup *setup) {
    return setup->url[0] != '\0';
}

static enum herald_code instagram_preview(const struct adapter_delivery *delivery, struct preview *preview,
                                          struct herald_error *reterr) {
    (void)delivery;
    (void)preview;
    (void)reterr;
    return HERALD_OK;
}

TASK_FN static struct channel_answer instagram_commit(const struct adapter_delivery *delivery) {
    (void)delivery;
    return answer_plain(MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED, "");
}

const struct adapter instagram_adapter = {.name = "instagram",
                                          .is_configured = instagram_is_configured,
                                          .preview = instagram_preview,
                                          .commit = instagram_commit};
