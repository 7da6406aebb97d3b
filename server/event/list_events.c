/* ListEvents: a user's events, newest first, by keyset pages. */
#include "client/base/minimum.h"
#include "herald/uuid.h"
#include "server/event/draft_message.h"
#include "server/event/event_service.h"
#include "server/rpc/rpc_settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page has at least one event. Its events fill at most 1/PAGE_PART of the largest message: JSON needs the rest. */
#define DEFAULT_PAGE_SIZE 20
#define PAGE_PART         2

/* The start of a page: strictly below (created_at, id). A page token is "<created_at_us>_<id>". */
struct position {
    int64_t before_us;
    char before_id[37];
};

static enum herald_code read_token(const char *token, struct position *ret_position, struct herald_error *reterr) {
    struct position position = {0};
    if (token[0] != '\0') {
        char *end = NULL;
        position.before_us = strtoll(token, &end, 10);
        if (end == token || *end != '_' || position.before_us <= 0 || !herald_uuid_valid(end + 1, strlen(end + 1))) {
            enum herald_code code =
                herald_error_set(reterr, HERALD_REASON_BAD_PAGE_TOKEN,
                                 "pageToken is not one that ListEvents gave; leave it out for the first page");
            herald_error_add_detail(reterr, "pageToken", HERALD_REASON_BAD_PAGE_TOKEN, "not a token of ListEvents");
            return code;
        }
        memcpy(position.before_id, end + 1, sizeof(position.before_id));
    }
    *ret_position = position;
    return HERALD_OK;
}

/* Fills in as many messages of @drafts as fit into @page_bytes, at most @most. */
static enum herald_code fill_events(const struct event_draft *drafts, size_t most, size_t page_bytes,
                                    Herald__Event__V1__ListEventsResponse *response, struct herald_error *reterr) {
    size_t bytes = 0;
    response->events = arena_calloc(call_arena(), most, sizeof(response->events[0]));
    if (!response->events) {
        return arena_full(reterr, "the page");
    }
    for (size_t i = 0; i < most; i++) {
        Herald__Event__V1__EventDraft *event = draft_message(&drafts[i]);
        if (!event) {
            return arena_full(reterr, "the page");
        }
        bytes += protobuf_c_message_get_packed_size(&event->base);
        if (i > 0 && bytes > page_bytes) {
            break;
        }
        response->events[response->n_events++] = event;
    }
    return HERALD_OK;
}

static enum herald_code fill_page(const struct event_draft *drafts, size_t count, unsigned page_size, size_t page_bytes,
                                  Herald__Event__V1__ListEventsResponse *response, struct herald_error *reterr) {
    enum herald_code code = fill_events(drafts, herald_min_size(count, page_size), page_bytes, response, reterr);
    if (code != HERALD_OK || count == response->n_events) {
        return code;
    }
    const struct event_draft *last = &drafts[response->n_events - 1];
    response->next_page_token = arena_printf(call_arena(), "%" PRId64 "_%s", last->created_at_us, last->id);
    return response->next_page_token ? HERALD_OK : arena_full(reterr, "the page");
}

TASK_FN enum herald_code event_list_events(void *self, const Herald__Event__V1__ListEventsRequest *request,
                                           Herald__Event__V1__ListEventsResponse *response,
                                           struct herald_error *reterr) {
    struct event_service *service = self;
    struct position position;
    enum herald_code code = read_token(request->page_token, &position, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    unsigned page_size = request->page_size ? request->page_size : DEFAULT_PAGE_SIZE;
    struct event_draft *drafts = NULL;
    size_t count = 0;
    /* one more than the page shows whether there is a next page */
    code = event_store_list(service->db, request->user_id, (int)request->status, request->query, position.before_us,
                            position.before_id, page_size + 1, &drafts, &count, reterr);
    return code == HERALD_OK
               ? fill_page(drafts, count, page_size, rpc_settings(service->settings)->rpc_max_message_bytes / PAGE_PART,
                           response, reterr)
               : code;
}
