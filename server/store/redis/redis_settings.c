#include "server/store/redis/redis_settings.h"

#include "server/settings/settings_check.h"

void redis_settings_check(struct settings_reading *reading, const void *part) {
    const struct redis_settings *settings = part;
    settings_check_url(reading, &settings->redis_url, "redis://");
}
