/* Statements of one transaction and their parameters. Numbers and times are sent in binary format, texts as text. */
#include "server/store/postgres/batch.h"

#include "server/store/postgres/embedded_sql.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <string.h>

enum { FORMAT_TEXT, FORMAT_BINARY };

void db_batch_init(struct db_batch *batch) {
    batch->statement_count = 0;
    batch->param_count = 0;
}

void db_add(struct db_batch *batch, enum db_query query) {
    assert(batch->statement_count < DB_STATEMENTS_MAX);
    batch->statements[batch->statement_count++] =
        (struct db_batch_statement){.query = query, .first = batch->param_count};
}

static void put_parameter(struct db_batch *batch, const char *value, int length, int format) {
    assert(batch->param_count < DB_PARAMS_MAX);
    unsigned index = batch->param_count++;
    batch->values[index] = value;
    batch->lengths[index] = length;
    batch->formats[index] = format;
    batch->statements[batch->statement_count - 1].count++;
}

void db_put_null(struct db_batch *batch) {
    put_parameter(batch, NULL, 0, FORMAT_TEXT);
}

void db_put_text(struct db_batch *batch, const char *text) {
    put_parameter(batch, text, 0, FORMAT_TEXT);
}

void db_put_text_or_null(struct db_batch *batch, const char *text) {
    db_put_text(batch, text && text[0] != '\0' ? text : NULL);
}

/* @bytes  how many of the last bytes of @number, which is in network order, are sent */
static void put_number_parameter(struct db_batch *batch, uint64_t number, size_t bytes) {
    assert(batch->param_count < DB_PARAMS_MAX);
    uint64_t *slot = &batch->numbers[batch->param_count];
    *slot = number;
    put_parameter(batch, (const char *)slot + (sizeof(*slot) - bytes), (int)bytes, FORMAT_BINARY);
}

void db_put_int(struct db_batch *batch, int32_t value) {
    put_number_parameter(batch, htobe64((uint64_t)(uint32_t)value), sizeof(value));
}

void db_put_bigint(struct db_batch *batch, int64_t value) {
    put_number_parameter(batch, htobe64((uint64_t)value), sizeof(value));
}

void db_put_time(struct db_batch *batch, int64_t us) {
    if (us == 0) {
        db_put_null(batch);
    } else {
        db_put_bigint(batch, us - DB_EPOCH_US);
    }
}

void db_put_bytes(struct db_batch *batch, const uint8_t *data, size_t bytes) {
    assert(bytes <= INT_MAX);
    const char *value = bytes == 0 ? "" : (const char *)data;
    put_parameter(batch, value, (int)bytes, FORMAT_BINARY);
}

bool db_put_names(struct db_batch *batch, struct arena *arena, const ProtobufCEnumDescriptor *values,
                  const int *numbers, size_t count) {
    const char *list = "";
    for (size_t i = 0; i < count && list; i++) {
        const char *name = db_name_of(values, numbers[i]);
        if (name) {
            list = arena_printf(arena, "%s%s%s", list, list[0] ? "," : "", name);
        }
    }
    const char *array = list ? arena_printf(arena, "{%s}", list) : NULL;
    db_put_text(batch, array);
    return array != NULL;
}

bool db_batch_is_complete(const struct db_batch *batch) {
    bool complete = true;
    for (unsigned i = 0; i < batch->statement_count; i++) {
        complete &= batch->statements[i].count == db_query_texts[batch->statements[i].query].params;
    }
    return complete;
}

bool db_batch_reads_by_key(const struct db_batch *batch) {
    bool by_key = true;
    for (unsigned i = 0; i < batch->statement_count; i++) {
        by_key &= db_query_texts[batch->statements[i].query].effect == DB_EFFECT_READ_BY_KEY;
    }
    return by_key;
}

bool db_batch_writes(const struct db_batch *batch) {
    bool writes = false;
    for (unsigned i = 0; i < batch->statement_count; i++) {
        writes |= db_query_texts[batch->statements[i].query].effect == DB_EFFECT_WRITE;
    }
    return writes;
}
