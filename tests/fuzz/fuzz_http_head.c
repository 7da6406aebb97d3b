#include "server/outgoing/http_head.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* The head of a channel's answer, line by line as libcurl hands it over. */

#define NOW_US  (INT64_C(1700000000) * 1000000)
#define YEAR_US (INT64_C(31622400) * 1000000)

static void check_head(const struct http_head *head) {
    int64_t at_us = http_head_retry_at_us(head, NOW_US);
    fuzz_require(at_us == 0 || (at_us >= NOW_US && at_us <= NOW_US + YEAR_US), "an instant is within 366 days");
    fuzz_require(!head->done || (head->status >= 200 && head->status <= 999), "a final answer has a status");
    for (size_t i = 0; i < HTTP_WANTED_MAX; i++) {
        fuzz_require(head->values[i] == NULL || strlen(head->values[i]) <= 1024, "a value has a limit");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const char *const wanted[] = {"date", "x-request-id", "retry-after", NULL};
    struct http_head head = {.wanted = wanted};
    const char *text = (const char *)data, *end = text + bytes;
    bool accepted = true;
    while (accepted && text != NULL && text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        size_t line_bytes = (size_t)((line_end != NULL ? line_end + 1 : end) - text);
        int status = head.done ? head.status : 0;
        accepted = http_head_line(&head, text, line_bytes);
        fuzz_require(status == 0 || head.status == status, "trailers change nothing");
        text += line_bytes;
    }
    if (accepted) {
        check_head(&head);
    }
    http_head_clear(&head);
    return 0;
}
