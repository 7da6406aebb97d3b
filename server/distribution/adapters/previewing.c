#include "server/distribution/adapters/previewing.h"

#include "server/runtime/proto_arena.h"

#include <string.h>

#define REQUESTS_MOST 8
#define PICTURES_MOST 8
#define HEADERS_MOST  16

static enum herald_code preview_is_full(struct herald_error *reterr) {
    return arena_full(reterr, "the preview");
}

static char **copy_headers(const char *const *headers, size_t *ret_count) {
    char **copy = arena_calloc(call_arena(), HEADERS_MOST, sizeof(char *));
    size_t count = 0;
    for (; copy && headers[count] && count < HEADERS_MOST; count++) {
        copy[count] = arena_strdup(call_arena(), headers[count]);
        if (!copy[count]) {
            return NULL;
        }
    }
    *ret_count = count;
    return copy;
}

enum herald_code preview_add_request(struct preview *preview, const char *method, const char *url,
                                     const char *const *headers, const char *body, const char *purpose,
                                     struct herald_error *reterr) {
    Herald__Distribution__V1__GetDeliveryPreviewResponse *response = preview->response;
    Herald__Distribution__V1__PreviewedRequest *request = ARENA_MESSAGE(herald__distribution__v1__previewed_request);
    if (!response->requests) {
        response->requests = arena_calloc(call_arena(), REQUESTS_MOST, sizeof(*response->requests));
    }
    if (!request || !response->requests || response->n_requests == REQUESTS_MOST) {
        return preview_is_full(reterr);
    }
    request->headers = copy_headers(headers, &request->n_headers);
    request->method = borrow_str(method);
    request->url = arena_strdup(call_arena(), url);
    request->body = arena_strdup(call_arena(), body);
    request->purpose = borrow_str(purpose);
    if (!request->headers || !request->url || !request->body) {
        return preview_is_full(reterr);
    }
    response->requests[response->n_requests++] = request;
    return HERALD_OK;
}

enum herald_code preview_add_picture(struct preview *preview, const char *url, struct herald_error *reterr) {
    Herald__Distribution__V1__GetDeliveryPreviewResponse *response = preview->response;
    if (!response->picture_urls) {
        response->picture_urls = arena_calloc(call_arena(), PICTURES_MOST, sizeof(char *));
    }
    char *copy = url ? arena_strdup(call_arena(), url) : NULL;
    if (!response->picture_urls || !copy || response->n_picture_urls == PICTURES_MOST) {
        return preview_is_full(reterr);
    }
    response->picture_urls[response->n_picture_urls++] = copy;
    return HERALD_OK;
}

static Herald__Distribution__V1__ContentProblem *problem_message(const struct content_problem *problem) {
    Herald__Distribution__V1__ContentProblem *message = ARENA_MESSAGE(herald__distribution__v1__content_problem);
    if (message) {
        message->field = arena_strdup(call_arena(), problem->field);
        message->reason = borrow_str(herald_reason_name(problem->reason));
        message->text_ko = arena_strdup(call_arena(), problem->korean);
        message->text_en = arena_strdup(call_arena(), problem->english);
    }
    return message && message->field && message->text_ko && message->text_en ? message : NULL;
}

enum herald_code preview_add_problems(struct preview *preview, const struct content_problems *problems,
                                      struct herald_error *reterr) {
    Herald__Distribution__V1__GetDeliveryPreviewResponse *response = preview->response;
    if (!response->problems) {
        response->problems = arena_calloc(call_arena(), CONTENT_PROBLEMS_MAX, sizeof(*response->problems));
    }
    if (!response->problems) {
        return preview_is_full(reterr);
    }
    for (size_t i = 0; i < problems->count && response->n_problems < CONTENT_PROBLEMS_MAX; i++) {
        response->problems[response->n_problems] = problem_message(&problems->list[i]);
        if (!response->problems[response->n_problems]) {
            return preview_is_full(reterr);
        }
        response->n_problems++;
    }
    return HERALD_OK;
}

enum herald_code preview_check_content(const struct adapter_delivery *delivery, struct preview *preview,
                                       const char *caption, size_t payload_bytes, struct herald_error *reterr) {
    const struct content content = {
        .title = delivery->content->title,
        .text = caption,
        .has_picture = true,
        .payload_bytes = payload_bytes,
    };
    struct content_problems *problems = arena_calloc(call_arena(), 1, sizeof(*problems));
    char *shown = arena_strdup(call_arena(), caption);
    if (!problems || !shown) {
        return preview_is_full(reterr);
    }
    (void)content_check(content_limits_find(delivery->row->number), &content, problems);
    preview->response->caption = shown;
    return preview_add_problems(preview, problems, reterr);
}
