#include "server/programs/settings.h"

#include "server/settings/table.h"

#include <stddef.h>

#define PART_ROWS(name, ROWS, check)    SETTINGS_ROWS(ROWS)
#define PART_PLACE(name_, ROWS, check_) {.name = #name_, .offset = offsetof(struct settings, name_), .check = (check_)},

static const struct setting_row rows[] = {ALL_SETTINGS(PART_ROWS)};
static const struct settings_part parts[] = {ALL_SETTINGS(PART_PLACE)};

static const struct settings_map maps[] = {{.section = "kafka", .key = "property"}};

const struct settings_table all_settings = {
    .bytes = sizeof(struct settings),
    .rows = rows,
    .row_count = sizeof(rows) / sizeof(rows[0]),
    .parts = parts,
    .part_count = sizeof(parts) / sizeof(parts[0]),
    .maps = maps,
    .map_count = sizeof(maps) / sizeof(maps[0]),
};

enum herald_code settings_load(struct settings *settings, const char *path, struct herald_error *reterr) {
    return settings_read(&all_settings, settings, path, reterr);
}
