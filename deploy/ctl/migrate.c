#include "server/store/postgres/migrate.h"

#include "deploy/ctl/clean.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/report.h"

#include <jansson.h>

static void print_migrate_json(json_t *result) {
    clean_print_json(stdout, result, JSON_COMPACT);
    json_decref(result);
}

static int migrate_failed(struct ctl *ctl, const struct herald_error *error) {
    report_error(stderr, ctl->arguments->format, "database", error);
    return error->code == HERALD_UNAVAILABLE ? CTL_NOT_SENT : CTL_FAILED;
}

static int check_migrations(struct ctl *ctl) {
    struct herald_error error;
    unsigned version = 0, wanted = 0;
    if (db_migrate_check(ctl->settings.pg_dsn, &version, &wanted, &error) != HERALD_OK) {
        return migrate_failed(ctl, &error);
    }
    if (ctl->arguments->format == CTL_JSON) {
        print_migrate_json(json_pack("{s:i, s:i}", "version", (int)version, "wanted", (int)wanted));
    } else if (version == wanted) {
        printf("the schema is at version %u, as this build wants it\n", version);
    } else {
        printf("the schema is at version %u, this build wants %u: %s\n", version, wanted,
               version < wanted ? "run heraldctl migrate" : "a newer build has been here; install that one");
    }
    return version == wanted ? CTL_OK : CTL_UNHEALTHY;
}

int ctl_migrate(struct ctl *ctl) {
    struct herald_error error;
    unsigned applied = 0, version = 0;
    if (ctl->arguments->check) {
        return check_migrations(ctl);
    }
    if (db_migrate(ctl->settings.pg_dsn, &applied, &version, &error) != HERALD_OK) {
        return migrate_failed(ctl, &error);
    }
    if (ctl->arguments->format == CTL_JSON) {
        print_migrate_json(json_pack("{s:i, s:i}", "applied", (int)applied, "version", (int)version));
    } else if (applied == 0) {
        printf("nothing to apply: the schema is at version %u\n", version);
    } else {
        printf("applied %u migration%s: the schema is at version %u\n", applied, applied == 1 ? "" : "s", version);
    }
    return CTL_OK;
}
