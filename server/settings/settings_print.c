#include "server/settings/settings_private.h"

#include <string.h>

/* True at the first row of each section; the table is grouped by section. */
static bool begins_section(const struct settings_table *table, size_t index) {
    return index == 0 || strcmp(table->rows[index].section, table->rows[index - 1].section) != 0;
}

/* Prints a text, with the password of a URL ("redis://user:password@host") masked. */
static void print_masked(const char *text, FILE *out) {
    const char *authority = strstr(text, "://");
    const char *at = authority != NULL ? strrchr(authority, '@') : NULL;
    const char *colon = at != NULL ? memchr(authority + 3, ':', (size_t)(at - authority - 3)) : NULL;
    if (colon == NULL) {
        fprintf(out, "%s", text);
    } else {
        fprintf(out, "%.*s:****%s", (int)(colon - text), text, at);
    }
}

static void print_value(const struct setting_row *row, const struct settings *settings, FILE *out) {
    if (row->kind == SETTING_IS_UINT && row->min == SETTING_OR_AUTO && *setting_uint(row, settings) == 0) {
        fprintf(out, "auto");
    } else if (row->kind == SETTING_IS_UINT) {
        fprintf(out, "%u", *setting_uint(row, settings));
    } else if (row->kind == SETTING_IS_BOOL) {
        fprintf(out, "%s", *setting_bool(row, settings) ? "true" : "false");
    } else if (row->kind == SETTING_IS_SECRET) {
        const char *secret = *setting_text(row, settings);
        fprintf(out, "%s", secret == NULL || *secret == '\0' ? "" : "****");
    } else {
        const char *text = *setting_text(row, settings);
        print_masked(text == NULL ? "" : text, out);
    }
}

static void print_map(const struct setting_row *row, const struct settings *settings, FILE *out) {
    const char *at = *setting_text(row, settings);
    struct settings_map_entry entry;
    while (settings_map_next(&at, &entry)) {
        bool secret = settings_map_is_secret(entry.name);
        fprintf(out, "%s.%s = %.*s\n", row->key, entry.name, secret ? 4 : (int)entry.value_bytes,
                secret ? "****" : entry.value);
    }
}

void settings_print(const struct settings *settings, FILE *out) {
    const struct settings_table *table = settings_table_of(settings);
    for (size_t i = 0; i < table->row_count; i++) {
        if (begins_section(table, i)) {
            fprintf(out, "%s[%s]\n", i == 0 ? "" : "\n", table->rows[i].section);
        }
        if (setting_is_map(table, &table->rows[i])) {
            print_map(&table->rows[i], settings, out);
            continue;
        }
        fprintf(out, "%s = ", table->rows[i].key);
        print_value(&table->rows[i], settings, out);
        fprintf(out, "\n");
    }
}

static void print_row_reference(const struct setting_row *row, FILE *out) {
    char name[SETTING_ENV_NAME_BYTES];
    setting_env_name(row, name);
    fprintf(out, "# %s\n", row->doc);
    if (row->kind == SETTING_IS_UINT && row->min == SETTING_OR_AUTO) {
        fprintf(out, "# 1 to %u, or auto. %s\n%s = %u\n", row->max, name, row->key, row->default_);
    } else if (row->kind == SETTING_IS_UINT) {
        fprintf(out, "# %u to %u. %s\n%s = %u\n", row->min, row->max, name, row->key, row->default_);
    } else if (row->kind == SETTING_IS_BOOL) {
        fprintf(out, "# true or false. %s\n%s = %s\n", name, row->key, row->default_ != 0 ? "true" : "false");
    } else {
        if (row->kind == SETTING_IS_CHOICE) {
            fprintf(out, "# One of %s. %s\n", row->choices, name);
        } else {
            fprintf(out, "# %s%s\n", row->kind == SETTING_IS_SECRET ? "Secret: masked when printed. " : "", name);
        }
        fprintf(out, "%s =%s%s\n", row->key, *row->default_text == '\0' ? "" : " ", row->default_text);
    }
}

static void print_map_reference(const struct setting_row *row, FILE *out) {
    char name[SETTING_ENV_NAME_BYTES];
    setting_env_name(row, name);
    fprintf(out, "# %s\n# Any number; %s_NAME, dots as underscores.\n# %s.NAME = value\n", row->doc, name, row->key);
}

void settings_print_reference(const struct settings_table *table, FILE *out) {
    fprintf(out,
            "# Settings of all of Herald's servers, with their defaults. Each may be left out, and each is overridden\n"
            "# by the environment variable named above it. A value ends before \" ;\", and a line has at most 198\n"
            "# bytes: what does not fit goes into the environment.\n");
    for (size_t i = 0; i < table->row_count; i++) {
        if (begins_section(table, i)) {
            fprintf(out, "\n[%s]\n", table->rows[i].section);
        }
        if (setting_is_map(table, &table->rows[i])) {
            print_map_reference(&table->rows[i], out);
        } else {
            print_row_reference(&table->rows[i], out);
        }
    }
}
