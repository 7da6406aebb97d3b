/* Reading binary results. A value of an unexpected length is read as absent, never beyond its end. */
#include "server/store/postgres/row.h"

#include "server/store/postgres/embedded_sql.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

void db_reply_fini(struct db_reply *reply) {
    for (int i = 0; i < DB_STATEMENTS_MAX; i++) {
        PQclear(reply->results[i]);
        reply->results[i] = NULL;
    }
}

int db_row_count(const struct db_reply *reply, unsigned index) {
    return PQntuples(reply->results[index]);
}

uint64_t db_changed_count(const struct db_reply *reply, unsigned index) {
    return strtoull(PQcmdTuples(reply->results[index]), NULL, 10);
}

struct db_row db_row_of(const struct db_reply *reply, unsigned index, int row, struct arena *arena) {
    return (struct db_row){.result = reply->results[index], .query = reply->queries[index], .row = row, .arena = arena};
}

/* ---- places ---- */

/* Columns of the row type that a column belongs to; NULL: none has it. */
static const struct db_row_columns *columns_with(enum db_column column) {
    unsigned type = column / DB_ROW_COLUMNS_MAX;
    const struct db_row_columns *columns = type < DB_ROW_TYPE_COUNT ? &db_row_columns[type] : NULL;
    return columns && column % DB_ROW_COLUMNS_MAX < columns->count ? columns : NULL;
}

static enum herald_code misread(const struct db_row *row, struct herald_error *reterr) {
    const struct db_query_text *query = &db_query_texts[row->query];
    const struct db_row_columns *columns = columns_with(row->misread);
    return herald_error_set(reterr, HERALD_REASON_DATABASE_ERROR,
                            "db/queries/%s.sql: its rows are of %s, and were read as rows of %s, by the column %s",
                            query->name, db_row_columns[query->row].name, columns ? columns->name : "none",
                            columns ? columns->names[row->misread % DB_ROW_COLUMNS_MAX] : "?");
}

enum herald_code db_row_end(const struct db_row *row, struct herald_error *reterr) {
    if (row->is_misread) {
        return misread(row, reterr);
    }
    return row->out_of_memory ? arena_full(reterr, "a row") : HERALD_OK;
}

/* The bytes of a value. NULL, and a column of another row type: none. */
struct db_value {
    const char *bytes;
    size_t length;
    bool is_null;
};

static struct db_value value_of(struct db_row *row, enum db_column column) {
    if (columns_with(column) != &db_row_columns[db_query_texts[row->query].row]) {
        row->misread = row->is_misread ? row->misread : column;
        row->is_misread = true;
        return (struct db_value){.bytes = "", .is_null = true};
    }
    int place = (int)(column % DB_ROW_COLUMNS_MAX);
    return (struct db_value){.bytes = PQgetvalue(row->result, row->row, place),
                             .length = (size_t)PQgetlength(row->result, row->row, place),
                             .is_null = PQgetisnull(row->result, row->row, place) != 0};
}

/* ---- values ---- */

bool db_get_null(struct db_row *row, enum db_column column) {
    return value_of(row, column).is_null;
}

const char *db_get_text(struct db_row *row, enum db_column column) {
    struct db_value value = value_of(row, column);
    if (value.length == 0) {
        return "";
    }
    char *text = arena_strndup(row->arena, value.bytes, value.length);
    if (!text) {
        row->out_of_memory = true;
        return "";
    }
    return text;
}

static int64_t number_in(struct db_value value) {
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (value.length) {
    case 1:
        return value.bytes[0];
    case 2:
        memcpy(&two, value.bytes, sizeof(two));
        return (int16_t)be16toh(two);
    case 4:
        memcpy(&four, value.bytes, sizeof(four));
        return (int32_t)be32toh(four);
    case 8:
        memcpy(&eight, value.bytes, sizeof(eight));
        return (int64_t)be64toh(eight);
    default:
        return 0;
    }
}

int64_t db_get_int(struct db_row *row, enum db_column column) {
    return number_in(value_of(row, column));
}

enum herald_code db_read_int(const struct db_reply *reply, unsigned index, enum db_column column, int64_t *ret_value,
                             struct herald_error *reterr) {
    struct db_row row = db_row_of(reply, index, 0, NULL);
    int64_t value = db_get_int(&row, column);
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_value = value;
    }
    return code;
}

int64_t db_get_time(struct db_row *row, enum db_column column) {
    struct db_value value = value_of(row, column);
    return value.is_null ? 0 : number_in(value) + DB_EPOCH_US;
}

const uint8_t *db_get_bytes(struct db_row *row, enum db_column column, size_t *ret_bytes) {
    struct db_value value = value_of(row, column);
    if (value.is_null) {
        *ret_bytes = 0;
        return NULL;
    }
    const uint8_t *data = arena_memdup(row->arena, value.bytes, value.length);
    row->out_of_memory |= data == NULL;
    *ret_bytes = data ? value.length : 0;
    return data;
}

int db_get_name(struct db_row *row, enum db_column column, const ProtobufCEnumDescriptor *values) {
    struct db_value value = value_of(row, column);
    return db_number_of(values, value.bytes, value.length);
}

const int *db_get_names(struct db_row *row, enum db_column column, const ProtobufCEnumDescriptor *values,
                        size_t *ret_count) {
    struct db_value value = value_of(row, column);
    const char *at = value.bytes, *end = at + value.length;
    size_t most = 1;
    for (const char *c = at; c < end; c++) {
        most += *c == ',';
    }
    int *numbers = arena_calloc(row->arena, most, sizeof(*numbers));
    *ret_count = 0;
    if (!numbers) {
        row->out_of_memory = true;
        return NULL;
    }
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        int number = db_number_of(values, at, (size_t)(stop - at));
        if (number) {
            numbers[(*ret_count)++] = number;
        }
        at = stop + 1;
    }
    return numbers;
}
