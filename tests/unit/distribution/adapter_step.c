#include "adapter_step.h"

#include "tests/unit/runtime/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Herald__Distribution__V1__GetDeliveryPreviewResponse PreviewResponse;

struct step {
    enum step_kind kind;
    struct adapter_delivery delivery;
    struct step_answer answer;
    struct step_preview preview;
};

static void keep(char *to, size_t room, const char *from) {
    assert_non_null(from);
    assert_true(strlen(from) < room);
    memcpy(to, from, strlen(from) + 1);
}

static void step_body(void *arg) {
    struct step *step = arg;
    const struct adapter *adapter = step->delivery.row->adapter;
    assert_int_equal(http_open(loop_current(), &step->delivery.http, NULL), HERALD_OK);
    struct channel_answer answer =
        step->kind == STEP_OF_COMMIT ? adapter->commit(&step->delivery) : adapter->look_up(&step->delivery);
    step->answer.meaning = answer.meaning;
    step->answer.reason = answer.reason;
    step->answer.retry_at_us = answer.retry_at_us;
    keep(step->answer.message, sizeof(step->answer.message), answer.message);
    keep(step->answer.remote_id, sizeof(step->answer.remote_id), answer.remote_id);
    keep(step->answer.step_id, sizeof(step->answer.step_id), answer.step_id);
    keep(step->answer.post_url, sizeof(step->answer.post_url), answer.post_url);
    http_close(step->delivery.http);
}

struct step_answer step_run(enum step_kind kind, struct adapter_delivery delivery) {
    struct step step = {.kind = kind, .delivery = delivery};
    struct call call;
    call_init(&call, "test", NULL, 0, 262144);
    run_task(&call, step_body, &step);
    call_fini(&call);
    return step.answer;
}

/* ---- previews ---- */

static char *join(char *const *list, size_t count) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s", i > 0 ? "\n" : "", list[i]);
    }
    fclose(out);
    return text;
}

static void step_preview_body(void *arg) {
    struct step *step = arg;
    PreviewResponse response = HERALD__DISTRIBUTION__V1__GET_DELIVERY_PREVIEW_RESPONSE__INIT;
    struct preview preview = {.response = &response};
    step->preview.code = step->delivery.row->adapter->preview(&step->delivery, &preview, NULL);
    bool has_request = response.n_requests > 0;
    step->preview.requests = response.n_requests;
    step->preview.url = strdup(has_request ? response.requests[0]->url : "");
    step->preview.body = strdup(has_request ? response.requests[0]->body : "");
    step->preview.headers =
        has_request ? join(response.requests[0]->headers, response.requests[0]->n_headers) : strdup("");
    step->preview.caption = strdup(response.caption);
    step->preview.html = strdup(response.html);
    step->preview.pictures = join(response.picture_urls, response.n_picture_urls);
    char *reasons[16];
    for (size_t i = 0; i < response.n_problems; i++) {
        reasons[i] = response.problems[i]->reason;
    }
    step->preview.problems = join(reasons, response.n_problems);
}

struct step_preview step_preview_run(struct adapter_delivery delivery) {
    struct step step = {.delivery = delivery};
    struct call call;
    call_init(&call, "test", NULL, 0, 262144);
    run_task(&call, step_preview_body, &step);
    call_fini(&call);
    return step.preview;
}

void step_preview_fini(struct step_preview *preview) {
    free(preview->url);
    free(preview->headers);
    free(preview->body);
    free(preview->caption);
    free(preview->html);
    free(preview->pictures);
    free(preview->problems);
}

Herald__Distribution__V1__Content step_content(void) {
    static Herald__Job__V1__StoreInfo store;
    Herald__Distribution__V1__Content content = HERALD__DISTRIBUTION__V1__CONTENT__INIT;
    herald__job__v1__store_info__init(&store);
    store.name = "한강 분식";
    store.address = "서울시 마포구 1";
    store.phone = "02-123-4567";
    content.title = "여름 이벤트";
    content.prize = "떡볶이 1인분";
    content.text = "줄을 서시오.\n두 번째 줄.";
    content.store_info = &store;
    content.png_url = "https://pictures.example/content/0123456789abcdef0123456789abcdef/simple.png";
    content.jpeg_url = "https://pictures.example/content/0123456789abcdef0123456789abcdef/simple.jpg";
    return content;
}
