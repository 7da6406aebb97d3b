#include "server/store/postgres/postgres_settings.h"

#include "server/settings/settings_check.h"

void pg_settings_check(struct settings_reading *reading, const void *part) {
    const struct pg_settings *settings = part;
    settings_check_not_empty(reading, &settings->pg_dsn);
}
