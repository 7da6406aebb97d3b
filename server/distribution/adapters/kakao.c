/* To be written. */
#include "server/distribution/adapters/adapters.h"

static bool kakao_is_configured(const struct channel_setup *setup) {
    return setup->url[0] != '\0';
}

static enum herald_code kakao_preview(const struct adapter_delivery *delivery, struct preview *preview,
                                      struct herald_error *reterr) {
    (void)delivery;
    (void)preview;
    (void)reterr;
    return HERALD_OK;
}

TASK_FN static struct channel_answer kakao_commit(const struct adapter_delivery *delivery) {
    (void)delivery;
    return answer_plain(MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED, "");
}

const struct adapter kakao_adapter = {
    .name = "kakao", .is_configured = kakao_is_configured, .preview = kakao_preview, .commit = kakao_commit};
