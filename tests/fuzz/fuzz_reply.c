#include "client/message/wire.h"
#include "client/src/reply.h"
#include "herald/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* What a client reads: a response's envelope and its payload. The first byte chooses the method that was called. */

static void check_frames(const uint8_t *data, size_t bytes) {
    struct wire_cursor cursor = {data, data + bytes};
    struct wire_field field = {.value = 0};
    while (cursor.at < cursor.end) {
        const uint8_t *before = cursor.at;
        if (!wire_read_field(&cursor, &field)) {
            return;
        }
        fuzz_require(cursor.at > before && cursor.at <= cursor.end, "a field takes bytes, and only those there are");
        if (field.type == WIRE_BYTES) {
            fuzz_require(field.data >= before && field.data + field.bytes == cursor.at, "a field lies in the data");
        }
    }
}

static void check_text(const char *text, size_t room) {
    size_t length = strnlen(text, room);
    fuzz_require(length < room && herald_utf8_valid(text, length, NULL), "an error's text is text");
}

static void check_error(const struct herald_error *error) {
    check_text(error->message, sizeof(error->message));
    check_text(error->reason, sizeof(error->reason));
    fuzz_require(error->detail_count <= HERALD_ERROR_DETAILS_MAX, "details have a limit");
    for (uint32_t i = 0; i < error->detail_count; i++) {
        check_text(error->details[i].field, sizeof(error->details[i].field));
        check_text(error->details[i].reason, sizeof(error->details[i].reason));
        check_text(error->details[i].message, sizeof(error->details[i].message));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static struct herald_reply reply; /* it is large, and the members that count are set each time */
    nng_msg *msg = NULL;
    const struct herald_method_schema *method = fuzz_take_method(&data, &bytes);
    if (!method) {
        return -1;
    }
    check_frames(data, bytes);
    fuzz_require(nng_msg_alloc(&msg, bytes) == 0, "there is memory");
    if (bytes > 0) {
        memcpy(nng_msg_body(msg), data, bytes);
    }
    herald_reply_init(&reply);
    herald_reply_read(&reply, method, &(struct herald_received){nng_msg_body(msg), nng_msg_len(msg), msg}, false);
    fuzz_require(reply.outcome != HERALD_NOT_SENT, "a reply came, whatever it says");
    fuzz_require(reply.error.code != HERALD_OK || reply.message, "a good reply has its message");
    check_error(&reply.error);
    if (reply.error.code == HERALD_OK) {
        fuzz_check_message(method->response, reply.message);
    }
    herald_reply_clear(&reply);
    return 0;
}
