#include "server/process/config_check.h"

#include "server/auth/auth_settings.h"
#include "server/auth/key_file.h"
#include "server/rpc/auth.h"
#include "server/rpc/rpc_settings.h"
#include "server/runtime/failpoint.h"
#include "server/transport/tls_identity.h"
#include "server/transport/url.h"

#include <string.h>

static void check_listen_url(const struct server_app *app, const struct settings *settings,
                             struct config_problems *problems) {
    const struct listen_url_policy policy = {.insecure = rpc_settings(settings)->rpc_insecure,
                                             .authenticated = auth_settings(settings)->auth_required};
    struct herald_error error;
    if (app->listen_url) {
        const char *url = app->listen_url(settings);
        settings_config_problem(settings, url, listen_url_check(app->name, url, &policy, &error), &error, problems);
    }
}

static bool listens_with_tls(const struct server_app *app, const struct settings *settings) {
    return app->listen_url && strncmp(app->listen_url(settings), "tls+", 4) == 0;
}

/* The setting whose file a message names; else the certificate. */
static char *const *tls_culprit(const struct auth_settings *auth, const char *message) {
    char *const *const members[] = {&auth->tls_client_ca_file, &auth->tls_key_file};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (**members[i] && strstr(message, *members[i])) {
            return members[i];
        }
    }
    return &auth->tls_cert_file;
}

static void check_tls(const struct server_app *app, const struct settings *settings, struct config_problems *problems) {
    const struct auth_settings *auth = auth_settings(settings);
    struct tls_identity *identity = NULL;
    struct herald_error error;
    if (*auth->tls_cert_file || listens_with_tls(app, settings)) {
        enum herald_code code = tls_identity_new(auth, &identity, &error);
        settings_config_problem(settings, code == HERALD_OK ? NULL : tls_culprit(auth, error.message), code, &error,
                                problems);
        tls_identity_unref(identity);
    }
    if (*auth->tls_ca_file) {
        settings_config_problem(settings, &auth->tls_ca_file, tls_ca_check(auth->tls_ca_file, &error), &error,
                                problems);
    }
}

static void check_callers_config(const struct settings *settings, struct config_problems *problems) {
    const struct auth_settings *set = auth_settings(settings);
    struct herald_error error;
    struct auth *auth = NULL;
    const void *member =
        *set->auth_callers_file ? (const void *)&set->auth_callers_file : (const void *)&set->auth_required;
    settings_config_problem(settings, member, auth_new(set, &auth, &error), &error, problems);
    auth_free(auth);
}

/* heraldctl reads the same settings and has options for them, so settings_read() lets these pass. */
static void check_pair(const struct settings *settings, char *const *member, const char *key, const char *other_value,
                       const char *other_key, struct config_problems *problems) {
    struct herald_error error;
    if (**member && !*other_value) {
        enum herald_code code = herald_error_set(&error, HERALD_REASON_BAD_CREDENTIAL_SETTINGS,
                                                 "%s is set and %s is not: set both, or none", key, other_key);
        settings_config_problem(settings, member, code, &error, problems);
    }
}

static void check_pairs(const struct settings *settings, struct config_problems *problems) {
    const struct auth_settings *auth = auth_settings(settings);
    check_pair(settings, &auth->auth_key_id, "[auth] key_id", auth->auth_key_file,
               "[auth] key_file (HERALD_AUTH_KEY_FILE)", problems);
    check_pair(settings, &auth->auth_key_file, "[auth] key_file", auth->auth_key_id,
               "[auth] key_id (HERALD_AUTH_KEY_ID)", problems);
    check_pair(settings, &auth->tls_key_file, "[tls] key_file", auth->tls_cert_file,
               "[tls] cert_file (HERALD_TLS_CERT_FILE)", problems);
    check_pair(settings, &auth->tls_client_ca_file, "[tls] client_ca_file", auth->tls_cert_file,
               "[tls] cert_file (HERALD_TLS_CERT_FILE)", problems);
}

static void check_own_key(const struct settings *settings, struct config_problems *problems) {
    const struct auth_settings *auth = auth_settings(settings);
    struct herald_error error;
    struct auth_key key;
    if (*auth->auth_key_file) {
        settings_config_problem(settings, &auth->auth_key_file, auth_key_file_read(auth->auth_key_file, &key, &error),
                                &error, problems);
        auth_key_wipe(&key);
    }
}

static void tell_failpoint(void *user, enum herald_code code, const struct herald_error *problem) {
    config_problem(user, code, problem);
}

void config_check(const struct server_app *app, const struct settings *settings, struct config_problems *problems) {
    check_listen_url(app, settings, problems);
    check_tls(app, settings, problems);
    check_callers_config(settings, problems);
    check_pairs(settings, problems);
    check_own_key(settings, problems);
    failpoint_check_environment(tell_failpoint, problems);
    if (app->check) {
        app->check(app, settings, problems);
    }
}
