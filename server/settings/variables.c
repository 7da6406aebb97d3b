/* Environment variables that begin with HERALD_ and belong to nobody: a typing error would be a setting that is not set. */
#include "client/base/edit_distance.h"
#include "server/settings/settings_private.h"

#include <string.h>
#include <unistd.h>

/* Those that are no settings, and who reads them. A name that ends in an underscore stands for all that begin with it. */
static const char *const others[] = {
    "HERALD_CONFIG",       /* every program: the settings file */
    "HERALD_FAILPOINT",    /* the servers */
    "HERALD_TOKEN",        /* heraldctl */
    "HERALD_FAKES_",       /* herald-fakes */
    "HERALD_DEV_",         /* deploy/dev */
    "HERALD_BIN",          /* deploy, tests */
    "HERALD_ROOT",         /* deploy, tests */
    "HERALD_TOPICS",       /* deploy */
    "HERALD_TEST_",        /* tests */
    "HERALD_BENCH_",       /* tests/bench */
    "HERALD_SERVICES_DIR", /* tests */
    "HERALD_SANITIZE",     /* the build */
    "HERALD_BUILD_DIR",    /* the build */
};
#define OTHER_COUNT (sizeof(others) / sizeof(others[0]))

static bool is_other(const char *name) {
    for (size_t i = 0; i < OTHER_COUNT; i++) {
        size_t length = strlen(others[i]);
        bool prefix = others[i][length - 1] == '_';
        if (prefix ? strncmp(name, others[i], length) == 0 : strcmp(name, others[i]) == 0) {
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
    if (strncmp(name, "HERALD_", 7) != 0 || is_other(name) || setting_env_is_known(table, name)) {
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
