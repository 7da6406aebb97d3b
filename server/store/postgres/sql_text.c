/* Positions in an SQL text. */
#include "server/store/postgres/embedded_sql.h"

#include <stdlib.h>

unsigned db_sql_line(const char *sql, const char *position) {
    unsigned line = 1;
    long left = position ? strtol(position, NULL, 10) - 1 : 0;
    for (const char *c = sql; *c && left > 0; c++) {
        /* the position counts characters: continuation bytes of UTF-8 do not count */
        left -= ((unsigned char)*c & 0xC0) != 0x80;
        line += *c == '\n';
    }
    return line;
}
