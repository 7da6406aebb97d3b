#include "server/distribution/preview.h"

#include "server/distribution/adapter.h"
#include "server/distribution/drive.h"
#include "server/runtime/proto_arena.h"

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

typedef Herald__Distribution__V1__GetDeliveryPreviewResponse PreviewResponse;
typedef Herald__Distribution__V1__Content Content;

enum herald_code preview_fill(const struct engine *engine, const struct channel_row *row, const char *event_id,
                              const Content *content, PreviewResponse *response, struct herald_error *reterr) {
    char key[37];
    delivery_key(event_id, row, key);
    struct channel_state *state = engine_channel(engine, row);
    const struct adapter_delivery delivery = {
        .row = row,
        .setup = channel_state_setup(state),
        .state = state,
        .event_id = event_id,
        .owner = "",
        .content = content,
        .key = key,
        .step_id = "",
    };
    struct preview preview = {.response = response};
    return row->adapter->preview(&delivery, &preview, reterr);
}

/* All problems in one sentence, for the delivery's row. */
static const char *join_problems(const PreviewResponse *response) {
    const char *joined = "";
    for (size_t i = 0; joined && i < response->n_problems; i++) {
        joined = arena_printf(call_arena(), "%s%s%s", joined, i > 0 ? " " : "", response->problems[i]->text_en);
    }
    return joined;
}

enum herald_code preview_check(const struct engine *engine, const struct channel_row *row, const char *event_id,
                               const Content *content, struct delivery_row *ret_row, struct herald_error *reterr) {
    PreviewResponse response = HERALD__DISTRIBUTION__V1__GET_DELIVERY_PREVIEW_RESPONSE__INIT;
    enum herald_code code = preview_fill(engine, row, event_id, content, &response, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const char *message = join_problems(&response);
    if (!message) {
        return arena_full(reterr, "the problems of the content");
    }
    bool refused = response.n_problems > 0;
    *ret_row = (struct delivery_row){
        .channel = row->number,
        .state = refused ? STATE(REJECTED) : STATE(PENDING),
        .settled = refused,
        .remote_id = "",
        .step_id = "",
        .post_url = "",
        .reason = refused ? herald_reason_name(HERALD_REASON_CONTENT_INVALID) : "",
        .message = message,
    };
    return HERALD_OK;
}
