/* Reading binary results. A value of an unexpected length is read as absent, never beyond its end. */
#include "server/store/postgres/row.h"

#include <assert.h>
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
    return (struct db_row){.result = reply->results[index], .type = reply->rows[index], .row = row, .arena = arena};
}

enum herald_code db_row_end(const struct db_row *row, struct herald_error *reterr) {
    return row->out_of_memory ? arena_full(reterr, "a row") : HERALD_OK;
}

static int place_of(const struct db_row *row, enum db_column column) {
    assert(column / DB_ROW_COLUMNS_MAX == row->type);
    (void)row; /* without assertions */
    return (int)(column % DB_ROW_COLUMNS_MAX);
}

bool db_get_null(const struct db_row *row, enum db_column column) {
    return PQgetisnull(row->result, row->row, place_of(row, column)) != 0;
}

static const char *value_of(const struct db_row *row, enum db_column column) {
    return PQgetvalue(row->result, row->row, place_of(row, column));
}

static size_t length_of(const struct db_row *row, enum db_column column) {
    return (size_t)PQgetlength(row->result, row->row, place_of(row, column));
}

const char *db_get_text(struct db_row *row, enum db_column column) {
    size_t bytes = length_of(row, column);
    if (bytes == 0) {
        return "";
    }
    char *text = arena_strndup(row->arena, value_of(row, column), bytes);
    if (!text) {
        row->out_of_memory = true;
        return "";
    }
    return text;
}

int64_t db_get_int(const struct db_row *row, enum db_column column) {
    const char *value = value_of(row, column);
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (length_of(row, column)) {
    case 1:
        return value[0];
    case 2:
        memcpy(&two, value, sizeof(two));
        return (int16_t)be16toh(two);
    case 4:
        memcpy(&four, value, sizeof(four));
        return (int32_t)be32toh(four);
    case 8:
        memcpy(&eight, value, sizeof(eight));
        return (int64_t)be64toh(eight);
    default:
        return 0;
    }
}

int64_t db_get_time(const struct db_row *row, enum db_column column) {
    return db_get_null(row, column) ? 0 : db_get_int(row, column) + DB_EPOCH_US;
}

const uint8_t *db_get_bytes(struct db_row *row, enum db_column column, size_t *ret_bytes) {
    if (db_get_null(row, column)) {
        *ret_bytes = 0;
        return NULL;
    }
    size_t bytes = length_of(row, column);
    const uint8_t *data = arena_memdup(row->arena, value_of(row, column), bytes);
    row->out_of_memory |= data == NULL;
    *ret_bytes = data ? bytes : 0;
    return data;
}

int db_get_name(const struct db_row *row, enum db_column column, const ProtobufCEnumDescriptor *values) {
    return db_number_of(values, value_of(row, column), length_of(row, column));
}

const int *db_get_names(struct db_row *row, enum db_column column, const ProtobufCEnumDescriptor *values,
                        size_t *ret_count) {
    const char *at = value_of(row, column);
    const char *end = at + length_of(row, column);
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
