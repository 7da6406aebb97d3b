/* Tables of text: table.h. Widths are columns of a terminal, not bytes. */
#include "deploy/ctl/table.h"

#include "deploy/ctl/clean.h"
#include "deploy/ctl/must.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void table_add(struct table *table, const char *const *cells) {
    if (table->count + table->columns > table->capacity) {
        table->capacity = 2 * table->capacity + 16 * table->columns;
        table->cells = ctl_must(realloc(table->cells, table->capacity * sizeof(*table->cells)));
    }
    for (size_t i = 0; i < table->columns; i++) {
        table->cells[table->count++] = clean_text(ctl_must(strdup(cells[i] != NULL ? cells[i] : "")));
    }
}

/* Code point at @text; invalid bytes count as themselves. */
static uint32_t next_character(const unsigned char **text) {
    const unsigned char *at = *text;
    unsigned follow = at[0] >= 0xf0 ? 3 : at[0] >= 0xe0 ? 2 : at[0] >= 0xc0 ? 1 : 0;
    uint32_t character = follow == 0 ? at[0] : at[0] & (0x3fu >> follow);
    unsigned taken = 0;
    while (taken < follow && (at[taken + 1] & 0xc0) == 0x80) {
        character = character << 6 | (at[++taken] & 0x3fu);
    }
    *text = at + 1 + taken;
    return character;
}

static bool is_wide(uint32_t character) {
    return (character >= 0x1100 && character <= 0x115f) || (character >= 0x2e80 && character <= 0xa4cf) ||
           (character >= 0xac00 && character <= 0xd7a3) || (character >= 0xf900 && character <= 0xfaff) ||
           (character >= 0xfe30 && character <= 0xfe6f) || (character >= 0xff00 && character <= 0xff60) ||
           (character >= 0x1f300 && character <= 0x1faff);
}

size_t table_text_columns(const char *text) {
    size_t columns = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        columns += is_wide(next_character(&at)) ? 2 : 1;
    }
    return columns;
}

static size_t column_width(const struct table *table, size_t column) {
    size_t width = 0;
    for (size_t i = column; i < table->count; i += table->columns) {
        size_t columns = table_text_columns(table->cells[i]);
        width = columns > width ? columns : width;
    }
    return width;
}

void table_print(const struct table *table, FILE *out) {
    size_t *widths = ctl_must(calloc(table->columns, sizeof(*widths)));
    for (size_t i = 0; i < table->columns; i++) {
        widths[i] = column_width(table, i);
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        bool last = column + 1 == table->columns;
        fputs(table->cells[i], out);
        if (last) {
            fputc('\n', out);
        } else {
            fprintf(out, "%*s", (int)(widths[column] - table_text_columns(table->cells[i]) + 2), "");
        }
    }
    free(widths);
}

size_t table_rows(const struct table *table) {
    return table->count / table->columns;
}

void table_keep(struct table *table, size_t rows) {
    while (table->count > rows * table->columns) {
        free(table->cells[--table->count]);
    }
}

void table_drop(struct table *table, size_t column) {
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (i % table->columns == column) {
            free(table->cells[i]);
        } else {
            table->cells[kept++] = table->cells[i];
        }
    }
    table->count = kept;
    table->columns--;
}

void table_cut(struct table *table, size_t column, size_t columns, char *(*cut)(const char *text, size_t columns)) {
    for (size_t i = column + table->columns; i < table->count; i += table->columns) {
        char *shorter = ctl_must(cut(table->cells[i], columns));
        free(table->cells[i]);
        table->cells[i] = shorter;
    }
}

size_t table_width_without(const struct table *table, size_t column) {
    size_t width = 0;
    for (size_t i = 0; i < table->columns; i++) {
        width += i != column ? column_width(table, i) + 2 : 0;
    }
    return width;
}

void table_fini(struct table *table) {
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    *table = (struct table){.columns = table->columns};
}
