/* Prints errors and chooses exit statuses: report.h. */
#include "deploy/ctl/report.h"

#include "deploy/ctl/clean.h"

#include <jansson.h>
#include <string.h>

/* Makes a server's text safe for a terminal. */
static void clean_error(struct herald_error *error) {
    clean_text(error->reason);
    clean_text(error->message);
    for (uint32_t i = 0; i < error->detail_count; i++) {
        clean_text(error->details[i].field);
        clean_text(error->details[i].reason);
        clean_text(error->details[i].message);
    }
}

static void print_error_text(FILE *out, const char *what, const struct herald_error *from) {
    struct herald_error copy, *error = &copy;
    herald_error_copy(error, from);
    clean_error(error);
    fprintf(out, "heraldctl: %s: %s", what, herald_code_name((int)error->code));
    if (error->reason[0] != '\0') {
        fprintf(out, " (%s)", error->reason);
    }
    fprintf(out, ": %s\n", error->message[0] != '\0' ? error->message : herald_code_text((int)error->code));
    for (uint32_t i = 0; i < error->detail_count; i++) {
        const struct herald_error_detail *detail = &error->details[i];
        fprintf(out, "  %s%s%s: %s\n", detail->field, detail->field[0] != '\0' ? ": " : "", detail->reason,
                detail->message);
    }
    if (error->retry_after_ms != 0) {
        fprintf(out, "  try again in %u ms\n", (unsigned)error->retry_after_ms);
    }
}

static json_t *error_json(const char *what, const struct herald_error *error) {
    json_t *details = json_array();
    for (uint32_t i = 0; i < error->detail_count; i++) {
        const struct herald_error_detail *detail = &error->details[i];
        json_array_append_new(details, json_pack("{s:s, s:s, s:s}", "field", detail->field, "reason", detail->reason,
                                                 "message", detail->message));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o}", "what", what, "code", herald_code_name((int)error->code),
                     "reason", error->reason, "message", error->message, "retryAfterMs", (int)error->retry_after_ms,
                     "details", details);
}

static void print_error_json(FILE *out, json_t *error) {
    json_t *whole = json_pack("{s:o}", "error", error);
    clean_print_json(out, whole, JSON_COMPACT);
    json_decref(whole);
}

void report_error(FILE *out, enum ctl_format format, const char *what, const struct herald_error *error) {
    if (format == CTL_JSON) {
        print_error_json(out, error_json(what, error));
    } else {
        print_error_text(out, what, error);
    }
}

/* Whether the call was refused here. NOT_SENT alone may also be an unreachable server. */
static bool is_refused_here(const struct herald_reply *reply) {
    return reply->outcome == HERALD_NOT_SENT && (reply->error.code == HERALD_INVALID_ARGUMENT ||
                                                 herald_error_is(&reply->error, HERALD_REASON_MESSAGE_TOO_BIG));
}

/* Ends a line about a call with what the operator may do. The key is the operator's, or made by this program. */
static void report_repeat(FILE *out, const char *what, const struct herald_reply *reply) {
    switch (herald_reply_may_repeat(reply)) {
    case HERALD_REPEAT_YES:
        fprintf(out, "%s; repeating it is safe (call id %s)\n", what, reply->call_id);
        break;
    case HERALD_REPEAT_SAME_KEY:
        fprintf(out, "%s; the same call with -k %s repeats it safely (call id %s)\n", what, reply->idempotency_key,
                reply->call_id);
        break;
    case HERALD_REPEAT_NO:
        fprintf(out, "%s; look before repeating it (call id %s)\n", what, reply->call_id);
        break;
    }
}

void report_reply(FILE *out, enum ctl_format format, const char *what, const struct herald_reply *reply) {
    if (format == CTL_JSON) {
        json_t *error = error_json(what, &reply->error);
        json_object_set_new(error, "outcome", json_string(herald_outcome_name(reply->outcome)));
        json_object_set_new(error, "mayRepeat", json_string(herald_repeat_name(herald_reply_may_repeat(reply))));
        json_object_set_new(error, "callId", json_string(reply->call_id));
        if (reply->idempotency_key[0] != '\0') {
            json_object_set_new(error, "idempotencyKey", json_string(reply->idempotency_key));
        }
        print_error_json(out, error);
        return;
    }
    print_error_text(out, what, &reply->error);
    switch (reply->outcome) {
    case HERALD_NOT_SENT:
        fputs(is_refused_here(reply) ? "  outcome NOT_SENT: it cannot be sent so; no server saw the call\n"
                                     : "  outcome NOT_SENT: no server saw the call; repeating it is safe\n",
              out);
        break;
    case HERALD_MAYBE_EXECUTED:
        report_repeat(out,
                      reply->done == HERALD_DONE_NOT_KNOWN
                          ? "  outcome MAYBE_EXECUTED: the server does not know what became of it"
                          : "  outcome MAYBE_EXECUTED: sent, and no answer came",
                      reply);
        break;
    case HERALD_EXECUTED:
        if (herald_reply_may_repeat(reply) != HERALD_REPEAT_NO) {
            report_repeat(out, "  it failed for the moment", reply);
        }
        break;
    }
}

enum ctl_exit report_status(const struct herald_reply *reply) {
    if (reply->error.code == HERALD_OK) {
        return CTL_OK;
    }
    switch (reply->outcome) {
    case HERALD_NOT_SENT:
        return is_refused_here(reply) ? CTL_USAGE : CTL_NOT_SENT;
    case HERALD_MAYBE_EXECUTED:
        return CTL_MAYBE;
    default:
        return CTL_FAILED;
    }
}

int report_worse(int status, int other) {
    static const int rank[] = {[CTL_FAILED] = 1, [CTL_NOT_SENT] = 2,  [CTL_MAYBE] = 3,
                               [CTL_USAGE] = 4,  [CTL_UNHEALTHY] = 1, [CTL_UNWRITTEN] = 1};
    return rank[other] > rank[status] ? other : status;
}
