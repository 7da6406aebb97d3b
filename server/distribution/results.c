#include "server/distribution/results.h"

#include "client/base/minimum.h"
#include "herald/distribution/v1/distribution.schema.h"
#include "server/distribution/decide.h"
#include "server/distribution/text/content_limits.h"
#include "server/distribution/text/owner_text.h"
#include "server/runtime/proto_arena.h"

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

#define OWNER_TEXT_ROOM 512

typedef Herald__Distribution__V1__ChannelResult ChannelResult;

/* The word under which an owner is told how a delivery stands. */
static const char *owner_word(const struct delivery_row *row) {
    switch (row->state) {
    case STATE(EXPIRED):
    case STATE(CANCELLED):
    case STATE(AWAITING_OPERATOR):
        return herald_distribution_v1_delivery_state_name((Herald__Distribution__V1__DeliveryState)row->state);
    case STATE(OUTCOME_UNKNOWN):
        return row->settled
                   ? herald_distribution_v1_delivery_state_name((Herald__Distribution__V1__DeliveryState)row->state)
                   : row->reason;
    default:
        return row->reason;
    }
}

/* Nothing is told of what is published, or has only begun. */
static bool tell_owner(const struct delivery_row *row, ChannelResult *result) {
    const struct content_limits *limits = content_limits_find(row->channel);
    const char *word = owner_word(row);
    if (row->state == STATE(PUBLISHED) || word[0] == '\0' || limits == NULL) {
        return true;
    }
    char korean[OWNER_TEXT_ROOM], english[OWNER_TEXT_ROOM];
    owner_text_write(word, limits->name_ko, OWNER_KOREAN, korean, sizeof(korean));
    owner_text_write(word, limits->name_en, OWNER_ENGLISH, english, sizeof(english));
    result->owner_text_ko = arena_strdup(call_arena(), korean);
    result->owner_text_en = arena_strdup(call_arena(), english);
    return result->owner_text_ko && result->owner_text_en;
}

int64_t delivery_next_us(const struct engine_process *process, const struct delivery_row *row) {
    const struct channel_row *channel = channel_find(row->channel);
    if (row->settled || row->next_at_us == 0) {
        return 0;
    }
    if (process == NULL || channel == NULL) {
        return row->next_at_us;
    }
    uint32_t retry_ms = channel_retry_ms(process->channels[channel_index(channel)]);
    int64_t open_us = retry_ms > 0 ? instance_now_us(process->instances[0]) + retry_ms * INT64_C(1000) : 0;
    /* a delivery ends in time all the same */
    int64_t end_us = row->expires_at_us > row->next_at_us ? row->expires_at_us : row->next_at_us;
    return open_us > row->next_at_us ? herald_min_i64(open_us, end_us) : row->next_at_us;
}

bool delivery_result(const struct engine_process *process, const struct delivery_row *row, ChannelResult **ret_result) {
    ChannelResult *result = ARENA_MESSAGE(herald__distribution__v1__channel_result);
    if (!result || !arena_timestamp(row->started_at_us, &result->started_at) ||
        !arena_timestamp(row->finished_at_us, &result->finished_at) ||
        !arena_timestamp(delivery_next_us(process, row), &result->next_attempt_at) ||
        !arena_timestamp(row->settled ? 0 : row->expires_at_us, &result->expires_at)) {
        return false;
    }
    result->channel = (Herald__Distribution__V1__Channel)row->channel;
    result->state = (Herald__Distribution__V1__DeliveryState)row->state;
    result->accepted = delivery_accepted(row->state);
    result->remote_id = borrow_str(row->remote_id);
    result->post_url = borrow_str(row->post_url);
    result->reason = borrow_str(row->reason);
    result->message = borrow_str(row->message);
    result->attempts = row->attempts;
    result->outlook = (Herald__Distribution__V1__Outlook)delivery_outlook(row->state, row->settled);
    if (!tell_owner(row, result)) {
        return false;
    }
    *ret_result = result;
    return true;
}

bool delivery_results(const struct engine_process *process, const struct delivery_row *rows, size_t count,
                      ChannelResult ***ret_results) {
    ChannelResult **results = arena_calloc(call_arena(), count, sizeof(*results));
    if (!results) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!delivery_result(process, &rows[i], &results[i])) {
            return false;
        }
    }
    *ret_results = results;
    return true;
}
