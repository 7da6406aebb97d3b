#include "server/process/config_check.h"

#include "server/auth/auth_settings.h"
#include "server/auth/key_file.h"
#include "server/rpc/auth.h"
#include "server/rpc/rpc_settings.h"
#include "server/transport/tls_identity.h"
#include "server/transport/url.h"

#include <string.h>

static void check_listen_url(const struct server_app *app, const struct settings *settings,
                             struct config_problems *problems) {
    const struct listen_url_policy policy = {.insecure = rpc_settings(settings)->rpc_insecure,
                                             .authenticated = auth_settings(settings)->auth_required};
    struct herald_error error;
    if (app->listen_url) {
        config_problem(problems, listen_url_check(app->name, app->listen_url(settings), &policy, &error), &error);
    }
}

static bool listens_with_tls(const struct server_app *app, const struct settings *settings) {
    return app->listen_url && strncmp(app->listen_url(settings), "tls+", 4) == 0;
}

static void check_tls(const struct server_app *app, const struct settings *settings, struct config_problems *problems) {
    const struct auth_settings *auth = auth_settings(settings);
    struct tls_identity *identity = NULL;
    struct herald_error error;
    if (*auth->tls_cert_file || listens_with_tls(app, settings)) {
        config_problem(problems, tls_identity_new(auth, &identity, &error), &error);
        tls_identity_unref(identity);
    }
    if (*auth->tls_ca_file) {
        config_problem(problems, tls_ca_check(auth->tls_ca_file, &error), &error);
    }
}

static void check_callers_config(const struct settings *settings, struct config_problems *problems) {
    struct herald_error error;
    struct auth *auth = NULL;
    config_problem(problems, auth_new(auth_settings(settings), &auth, &error), &error);
    auth_free(auth);
}

/* heraldctl reads the same settings and has options for them, so settings_read() lets these pass. */
static void check_pair(const char *key, const char *value, const char *other_key, const char *other_value,
                       struct config_problems *problems) {
    struct herald_error error;
    if (*value && !*other_value) {
        config_problem(problems,
                       herald_error_set(&error, HERALD_REASON_BAD_CREDENTIAL_SETTINGS,
                                        "%s is set and %s is not: set both, or none", key, other_key),
                       &error);
    }
}

static void check_pairs(const struct settings *settings, struct config_problems *problems) {
    const struct auth_settings *auth = auth_settings(settings);
    check_pair("[auth] key_id", auth->auth_key_id, "[auth] key_file (HERALD_AUTH_KEY_FILE)", auth->auth_key_file,
               problems);
    check_pair("[auth] key_file", auth->auth_key_file, "[auth] key_id (HERALD_AUTH_KEY_ID)", auth->auth_key_id,
               problems);
    check_pair("[tls] key_file", auth->tls_key_file, "[tls] cert_file (HERALD_TLS_CERT_FILE)", auth->tls_cert_file,
               problems);
    check_pair("[tls] client_ca_file", auth->tls_client_ca_file, "[tls] cert_file (HERALD_TLS_CERT_FILE)",
               auth->tls_cert_file, problems);
}

static void check_own_key(const struct settings *settings, struct config_problems *problems) {
    const struct auth_settings *auth = auth_settings(settings);
    struct herald_error error;
    struct auth_key key;
    if (*auth->auth_key_file) {
        config_problem(problems, auth_key_file_read(auth->auth_key_file, &key, &error), &error);
        auth_key_wipe(&key);
    }
}

void config_check(const struct server_app *app, const struct settings *settings, struct config_problems *problems) {
    check_listen_url(app, settings, problems);
    check_tls(app, settings, problems);
    check_callers_config(settings, problems);
    check_pairs(settings, problems);
    check_own_key(settings, problems);
    if (app->check) {
        app->check(app, settings, problems);
    }
}
