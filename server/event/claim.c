#include "herald/utf8.h"
#include "server/event/publish.h"
#include "server/store/postgres/postgres_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_WAIT_MS   2000 /* as long as a statement waits for a connection */
#define LEASE_MARGIN_MS 100  /* of the lease must be left when a claim is made */
#define LATE_MARGIN_MS  5000 /* on top of a statement's time, when its answer was lost */

TASK_FN enum herald_code claim_new(struct event_service *service, const char *event_id, struct event_claim **ret_claim,
                                   struct herald_error *reterr) {
    if (!instance_wait(service->instance, LEASE_MARGIN_MS, LEASE_WAIT_MS)) {
        enum herald_code code = call_check(reterr);
        return code != HERALD_OK
                   ? code
                   : herald_error_set(reterr, HERALD_REASON_NO_LEASE,
                                      "the server cannot renew its lease in the database, so it publishes nothing now; "
                                      "nothing was changed");
    }
    struct event_claim *claim = calloc(1, sizeof(*claim));
    if (!claim) {
        return herald_error_no_memory(reterr, "the claim of an event");
    }
    (void)snprintf(claim->event_id, sizeof(claim->event_id), "%s", event_id);
    *ret_claim = claim;
    return HERALD_OK;
}

void claim_called(const struct event_service *service, struct event_claim *claim, enum herald_reason reason,
                  const struct herald_error *error) {
    claim->called_at_us = instance_now_us(service->instance);
    claim->reason = reason;
    free(claim->message);
    claim->message =
        error && herald_utf8_valid(error->message, strlen(error->message), NULL) ? strdup(error->message) : NULL;
}

void claim_free(struct event_claim *claim) {
    if (claim) {
        free(claim->message);
        free(claim);
    }
}

static void go_astray(struct event_service *service, struct event_claim *claim) {
    if (service->claims_closed) {
        claim_free(claim);
        return;
    }
    claim->next = service->astray;
    service->astray = claim;
}

TASK_FN void claim_release(struct event_service *service, struct event_claim *claim, uint32_t due_in_ms) {
    claim->due_in_ms = due_in_ms;
    bool held = false;
    const struct event_call call = {
        .ended_at_us = claim->called_at_us,
        .reason = herald_reason_name(claim->reason),
        .message = claim->message ? claim->message : "",
    };
    enum herald_code code = event_store_unclaim(service->db, claim->event_id, instance_id(service->instance), due_in_ms,
                                                claim->called_at_us ? &call : NULL, &held, NULL);
    /* The holder is the process: it may have held the event for another call, and this claim may still come. */
    bool is_over = code == HERALD_OK && clock_now_us() >= claim->may_come_us;
    if (is_over || held) {
        reconciler_look_at(service->reconciler, due_in_ms);
    }
    if (is_over) {
        claim_free(claim);
    } else {
        go_astray(service, claim);
    }
}

TASK_FN void claim_fail(struct event_service *service, struct event_claim *claim, enum herald_code code) {
    if (code == HERALD_OUTCOME_UNKNOWN) {
        uint32_t still_ms = pg_settings(service->settings)->pg_statement_timeout_ms + LATE_MARGIN_MS;
        claim->may_come_us = clock_now_us() + still_ms * UINT64_C(1000);
        claim_release(service, claim, 0);
    } else {
        claim_free(claim);
    }
}

TASK_FN void claims_release_astray(struct event_service *service) {
    struct event_claim *claims = service->astray;
    service->astray = NULL;
    while (claims) {
        struct event_claim *claim = claims;
        claims = claim->next;
        claim_release(service, claim, claim->due_in_ms);
    }
}

void claims_close(struct event_service *service) {
    service->claims_closed = true;
    while (service->astray) {
        struct event_claim *claim = service->astray;
        service->astray = claim->next;
        claim_free(claim);
    }
}
