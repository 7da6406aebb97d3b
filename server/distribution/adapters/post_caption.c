#include "server/distribution/adapters/post_caption.h"

#include "server/distribution/text/caption.h"
#include "server/runtime/call.h"

#include <stdlib.h>

/* Composes the text. @problems  of the text are added */
static enum herald_code compose_caption(const struct adapter_delivery *delivery, struct content_problems *problems,
                                        const char **ret_caption, struct herald_error *reterr) {
    const Herald__Distribution__V1__Content *content = delivery->content;
    const Herald__Job__V1__StoreInfo *store = content->store_info;
    const struct caption caption = {
        .title = content->title,
        .prize = content->prize,
        .text = content->text,
        .store_name = store ? store->name : NULL,
        .store_address = store ? store->address : NULL,
        .store_phone = store ? store->phone : NULL,
        .has_picture = content->jpeg_url[0] != '\0',
    };
    char *text = NULL;
    enum herald_code code =
        caption_compose(content_limits_find(delivery->row->number), &caption, &text, problems, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const char *kept = arena_strdup(call_arena(), text);
    free(text);
    if (!kept) {
        return arena_full(reterr, "the text of a post");
    }
    *ret_caption = kept;
    return HERALD_OK;
}

enum herald_code post_caption(const struct adapter_delivery *delivery, const char **ret_caption, const char **ret_why,
                              struct herald_error *reterr) {
    struct content_problems *problems =
        calloc(1, sizeof(*problems)); /* too large for the memory of a post that waits */
    if (!problems) {
        return herald_error_no_memory(reterr, "the text of a post");
    }
    const char *caption = NULL, *why = "";
    enum herald_code code = compose_caption(delivery, problems, &caption, reterr);
    if (code == HERALD_OK && ret_why && problems->count > 0) {
        why = arena_strdup(call_arena(), problems->list[0].english);
        code = why ? HERALD_OK : arena_full(reterr, "the text of a post");
    }
    free(problems);
    if (code == HERALD_OK) {
        *ret_caption = caption;
    }
    if (code == HERALD_OK && ret_why) {
        *ret_why = why;
    }
    return code;
}
