#include "server/gateway/session_page.h"

#include "server/auth/auth_settings.h"
#include "server/auth/token.h"
#include "server/gateway/request_options.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

/* A method that the token must not be narrowed away from would be a wrong question here: who asks is asked. */
#define ANY_METHOD "herald.rpc.v1.Health/Check"

static const char *class_name(enum caller_class class) {
    static const char *const NAMES[] = {[CALLER_CLASS_NONE] = "anonymous",
                                        [CALLER_CLASS_CLIENT] = "client",
                                        [CALLER_CLASS_OPERATOR] = "operator",
                                        [CALLER_CLASS_SERVER] = "server"};
    return NAMES[class];
}

static enum herald_code check_bearer(const struct gateway *gateway, const struct callers *callers, struct span token,
                                     struct session *session, struct herald_error *reterr) {
    char text[OPTIONS_TOKEN_MAX + 1];
    struct token_grant grant;
    memcpy(text, token.at, token.bytes);
    text[token.bytes] = '\0';
    enum herald_code code = token_check(callers, text, ANY_METHOD, gateway->options.auth->auth_audience,
                                        (int64_t)time(NULL), &grant, reterr);
    if (code == HERALD_OK) {
        session->class = caller_class_of(grant.caller);
        memcpy(session->user, grant.user, sizeof(session->user));
    }
    return code;
}

enum herald_code session_of(const struct gateway *gateway, const struct request *request, struct session *ret_session,
                            struct herald_error *reterr) {
    const char *path = gateway->options.auth->auth_callers_file;
    struct callers *callers = NULL;
    struct span token;
    *ret_session = (struct session){.is_checked = *path != '\0'};
    if (!options_bearer(&request->head, &token)) {
        return herald_error_set(reterr, HERALD_REASON_BAD_TOKEN, "Authorization is no bearer token");
    }
    if (!ret_session->is_checked || token.at == NULL) {
        return HERALD_OK;
    }
    if (callers_load(path, &callers, NULL) != HERALD_OK) {
        return herald_error_set_code(reterr, HERALD_UNAVAILABLE, herald_reason_name(HERALD_REASON_UNREADABLE),
                                     "the callers cannot be read now");
    }
    enum herald_code code = check_bearer(gateway, callers, token, ret_session, reterr);
    callers_unref(callers);
    return code;
}

void serve_session(const struct gateway *gateway, struct request *request, struct response *response) {
    struct session session;
    struct herald_reply reply = {.outcome = HERALD_NOT_SENT};
    if (session_of(gateway, request, &session, &reply.error) != HERALD_OK) {
        response_failure(response, &reply);
        return;
    }
    json_t *page = json_pack("{s:b, s:b, s:s, s:s, s:s}", "authenticated", session.class != CALLER_CLASS_NONE,
                             "signInRequired", gateway->options.auth->auth_required, "user", session.user, "class",
                             class_name(session.class), "version", HERALD_VERSION);
    char *text = json_dumps(page, JSON_COMPACT);
    json_decref(page);
    response_header(response, "cache-control", "no-store");
    response_send(response, 200, "application/json", span_of(text != NULL ? text : "{}"), false);
    free(text);
}
