#ifndef HERALD_CTL_TABLE_H
#define HERALD_CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

/** Rows of text, printed in aligned columns. The first row is the heading. Set the columns, zero the rest: empty. */
struct table {
    size_t columns;
    char **cells;
    size_t count, capacity; /* of cells */
};

/** Adds a row; @cells  as many as columns, copied; NULL is empty. Control characters become spaces. */
void table_add(struct table *table, const char *const *cells);
void table_print(const struct table *table, FILE *out);
/** Rows, the heading included. */
size_t table_rows(const struct table *table);
/** Keeps the first rows only. */
void table_keep(struct table *table, size_t rows);
/** Removes a column. */
void table_drop(struct table *table, size_t column);
/** Cuts the cells of a column, except the heading. @cut  returns a new text of at most @columns columns */
void table_cut(struct table *table, size_t column, size_t columns, char *(*cut)(const char *text, size_t columns));
/** Width of the table without one of its columns, gaps included. */
size_t table_width_without(const struct table *table, size_t column);
void table_fini(struct table *table);

/** Columns that UTF-8 text fills on a terminal: Hangul and other wide characters fill two. */
size_t table_text_columns(const char *text);

#endif
