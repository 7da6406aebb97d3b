#ifndef HERALD_CTL_TABLE_H
#define HERALD_CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

/** Rows of text, printed with columns that line up. The first row is the heading. Zeroed but for the columns: empty. */
struct table {
    size_t columns;
    char **cells;
    size_t count, capacity; /* of cells */
};

/** Adds a row; @cells  as many as columns, copied; NULL is empty. Control characters become spaces. */
void table_add(struct table *table, const char *const *cells);
void table_print(const struct table *table, FILE *out);
void table_fini(struct table *table);

/** Columns that UTF-8 text fills on a terminal: Hangul and other wide characters fill two. */
size_t table_text_columns(const char *text);

#endif
