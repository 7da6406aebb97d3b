/* Environment variables that begin with HERALD_ and belong to nobody: a typing error would be a setting that is not set. */
#include "client/base/edit_distance.h"
#include "server/settings/settings_private.h"

#include <string.h>
#include <unistd.h>

/* How those go on behind HERALD_ that are no settings, and who reads them. */
static const char *const others[] = {
    "CONFIG=",       /* every program: the settings file */
    "FAILPOINT=",    /* the servers */
    "TOKEN=",        /* heraldctl */
    "HTTP_URL=",     /* deploy: where a gateway is */
    "FAKES_",        /* herald-fakes */
    "DEV_",          /* deploy/dev */
    "BIN=",          /* deploy, tests */
    "ROOT=",         /* deploy, tests */
    "TOPICS=",       /* deploy */
    "TEST_",         /* tests */
    "BENCH_",        /* tests/bench */
    "SERVICES_DIR=", /* tests */
    "SANITIZE=",     /* the build */
    "BUILD_DIR=",    /* the build */
};
#define OTHER_COUNT (sizeof(others) / sizeof(others[0]))

static bool is_other(const char *variable) {
    for (size_t i = 0; i < OTHER_COUNT; i++) {
        if (strncmp(variable, others[i], strlen(others[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The name of a setting's variable that is most similar; false: none is. */
static bool find_similar(const struct settings_table *table, const char *name,
                         char ret_similar[SETTING_ENV_NAME_BYTES]) {
    unsigned best = 3;
    for (size_t i = 0; i < table->row_count; i++) {
        char candidate[SETTING_ENV_NAME_BYTES];
        setting_env_name(&table->rows[i], candidate);
        unsigned distance = herald_edit_distance(name, candidate);
        if (distance < best) {
            best = distance;
            memcpy(ret_similar, candidate, sizeof(candidate));
        }
    }
    return best < 3;
}

static void check_variable(const struct settings_table *table, const char *variable, struct config_problems *problems) {
    char name[SETTING_ENV_NAME_BYTES], similar[SETTING_ENV_NAME_BYTES];
    struct herald_error error;
    size_t length = strcspn(variable, "=");
    (void)snprintf(name, sizeof(name), "%.*s", (int)length, variable);
    if (strncmp(name, "HERALD_", 7) != 0 || is_other(variable + 7) || setting_env_is_known(table, name)) {
        return;
    }
    bool near = find_similar(table, name, similar);
    enum herald_code code =
        herald_error_set(&error, HERALD_REASON_BAD_SETTINGS, "environment: %s is no setting: %s%s", name,
                         near ? "did you mean " : "unset it; --print-config-reference lists all", near ? similar : "");
    config_problem(problems, code, &error);
}

void settings_check_variables(const struct settings_table *table, struct config_problems *problems) {
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
        check_variable(table, *variable, problems);
    }
}
