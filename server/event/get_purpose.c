/*
 * GetPurpose: a user's present objective, cache-aside on purpose:{user_id}. The cached value is the response as JSON.
 * An unavailable cache, or an unreadable value in it, costs a read of the database, never an error.
 */
#include "herald/event/v1/event.schema.h"
#include "herald/json.h"
#include "server/event/event_service.h"
#include "server/event/event_settings.h"
#include "server/runtime/proto_arena.h"

#include <stdlib.h>
#include <string.h>

char *event_purpose_key(const char *user_id) {
    return arena_printf(call_arena(), "purpose:%s", user_id);
}

TASK_FN bool event_forget_purpose(struct event_service *service, const char *user_id, struct herald_error *reterr) {
    struct herald_error error = {0};
    const char *key = event_purpose_key(user_id);
    enum herald_code code = key ? redis_del(service->redis, key, &error) : arena_full(&error, "the cache's key");
    if (code != HERALD_OK) {
        log_emit(&LOG_EVENT_CACHE_STALE, log_str("user_id", user_id), log_error(&error), LOG_END);
        herald_error_copy(reterr, &error);
    }
    return code == HERALD_OK;
}

TASK_FN static bool read_cache(struct event_service *service, const char *key,
                               Herald__Event__V1__GetPurposeResponse *response) {
    char *json = NULL;
    size_t bytes = 0;
    if (redis_get(service->redis, key, &json, &bytes, NULL) != HERALD_OK) {
        return false;
    }
    ProtobufCMessage *cached = NULL;
    if (herald_json_read(&herald_event_v1_get_purpose_response_schema, json, bytes, NULL, &call_arena()->protobuf,
                         &cached, NULL) != HERALD_OK) {
        return false;
    }
    *response = *(Herald__Event__V1__GetPurposeResponse *)cached;
    return true;
}

TASK_FN static void fill_cache(struct event_service *service, const char *key,
                               const Herald__Event__V1__GetPurposeResponse *response) {
    char *json = NULL;
    if (herald_json_write(&herald_event_v1_get_purpose_response_schema, &response->base, NULL, &json, NULL) ==
        HERALD_OK) {
        (void)redis_set(service->redis, key, json, strlen(json),
                        publish_settings(service->settings)->cache_purpose_ttl_s, NULL);
        free(json);
    }
}

TASK_FN enum herald_code event_get_purpose(void *self, const Herald__Event__V1__GetPurposeRequest *request,
                                           Herald__Event__V1__GetPurposeResponse *response,
                                           struct herald_error *reterr) {
    struct event_service *service = self;
    const char *key = event_purpose_key(request->user_id);
    if (!key) {
        return arena_full(reterr, "the cache's key");
    }
    if (read_cache(service, key, response)) {
        return HERALD_OK;
    }
    int objective = 0;
    const char *id = "";
    enum herald_code code = event_store_purpose(service->db, request->user_id, &objective, &id, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->objective = (Herald__Event__V1__Objective)objective;
    response->event_draft_id = borrow_str(id);
    fill_cache(service, key, response);
    return HERALD_OK;
}
