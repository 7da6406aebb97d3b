#include "server/distribution/adapters/post_caption.h"

#include "server/distribution/text/caption.h"
#include "server/runtime/call.h"

#include <stdlib.h>

enum herald_code post_caption(const struct adapter_delivery *delivery, const char **ret_caption,
                              struct herald_error *reterr) {
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
    struct content_problems *problems = arena_calloc(call_arena(), 1, sizeof(*problems));
    char *text = NULL;
    if (!problems) {
        return arena_full(reterr, "the text of a post");
    }
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
