#include "server/event/period.h"

#include "server/runtime/proto_arena.h"

static enum herald_code refuse_period(const char *field, const char *fault, struct herald_error *reterr) {
    enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "%s %s", field, fault);
    herald_error_add_detail(reterr, field, HERALD_REASON_OUT_OF_RANGE, "%s", fault);
    return code;
}

enum herald_code period_of(const Google__Protobuf__Timestamp *starts_at, const Google__Protobuf__Timestamp *ends_at,
                           int64_t now_us, struct period *ret_period, struct herald_error *reterr) {
    const struct period period = {.starts_at_us = timestamp_us(starts_at), .ends_at_us = timestamp_us(ends_at)};
    if (starts_at && period.starts_at_us <= 0) {
        return refuse_period("startsAt", "lies before 1970", reterr);
    }
    if (ends_at && period.ends_at_us <= now_us) {
        return refuse_period("endsAt", "is not in the future", reterr);
    }
    if (starts_at && ends_at && period.starts_at_us >= period.ends_at_us) {
        return refuse_period("endsAt", "is not after startsAt", reterr);
    }
    *ret_period = period;
    return HERALD_OK;
}
