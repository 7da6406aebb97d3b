/* To be written. */
#include "server/distribution/adapters/adapters.h"

static bool naver_is_configured(const struct channel_setup *setup) {
    return setup->url[0] != '\0';
}

static enum herald_code naver_preview(const struct adapter_delivery *delivery, struct preview *preview,
                                      struct herald_error *reterr) {
    (void)delivery;
    (void)preview;
    (void)reterr;
    return HERALD_OK;
}

TASK_FN static struct channel_answer naver_commit(const struct adapter_delivery *delivery) {
    (void)delivery;
    return answer_plain(MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED, "");
}

const struct adapter naver_adapter = {
    .name = "naver", .is_configured = naver_is_configured, .preview = naver_preview, .commit = naver_commit};
