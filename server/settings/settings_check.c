#include "server/settings/settings_check.h"

#include "server/settings/settings_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct setting_row *setting_row_of(const void *member, const struct settings_reading *reading) {
    size_t offset = (size_t)((const char *)member - (const char *)reading->settings);
    for (size_t i = 0; i < reading->table->row_count; i++) {
        if (reading->table->rows[i].offset == offset) {
            return &reading->table->rows[i];
        }
    }
    abort(); /* each member has its row */
}

void settings_bad(struct settings_reading *reading, const void *member, enum herald_reason reason, const char *what) {
    const struct setting_row *row = setting_row_of(member, reading);
    char origin[112];
    settings_origin(reading, row, origin, sizeof(origin));
    settings_problem(reading, row, reason, "%s: %s", origin, what);
}

void settings_bad_entry(struct settings_reading *reading, const void *member, const char *name,
                        enum herald_reason reason, const char *what) {
    const struct setting_row *row = setting_row_of(member, reading);
    char origin[176];
    settings_map_origin(reading, row, name, origin, sizeof(origin));
    settings_problem(reading, row, reason, "%s: %s", origin, what);
}

/* True when the URL begins with one of the schemes, "tcp:// ipc://", and is longer than it. */
static bool has_scheme(const char *url, size_t url_bytes, const char *schemes) {
    for (const char *scheme = schemes; *scheme != '\0';) {
        size_t length = strcspn(scheme, " ");
        if (url_bytes > length && strncmp(url, scheme, length) == 0) {
            return true;
        }
        scheme += length;
        scheme += strspn(scheme, " ");
    }
    return false;
}

void settings_check_url(struct settings_reading *reading, char *const *member, const char *schemes) {
    char what[112];
    if (has_scheme(*member, strlen(*member), schemes)) {
        return;
    }
    (void)snprintf(what, sizeof(what), "must be a URL that begins with one of %s", schemes);
    settings_bad(reading, member, HERALD_REASON_BAD_URL, what);
}

void settings_check_urls(struct settings_reading *reading, char *const *member, const char *schemes) {
    char what[128];
    for (const char *url = *member; *url != '\0';) {
        size_t length = strcspn(url, ",");
        if (!has_scheme(url, length, schemes)) {
            (void)snprintf(what, sizeof(what), "must be URLs with commas between them, each begins with one of %s",
                           schemes);
            settings_bad(reading, member, HERALD_REASON_BAD_URL, what);
            return;
        }
        url += length + (url[length] == ',');
    }
}

void settings_check_not_empty(struct settings_reading *reading, char *const *member) {
    if (**member == '\0') {
        settings_bad(reading, member, HERALD_REASON_BAD_VALUE, "must not be empty");
    }
}
