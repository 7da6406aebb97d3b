#ifndef HERALD_MESSAGE_WIRE_H
#define HERALD_MESSAGE_WIRE_H

/*
 * Protobuf's wire format. Reads are field by field and safe on untrusted bytes. Writes go into a buffer that the caller
 * has sized with the functions wire_…_bytes().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2, WIRE_32BIT = 5 };

struct wire_cursor {
    const uint8_t *at;
    const uint8_t *end;
};

struct wire_field {
    uint32_t number;
    unsigned type;       /* enum wire_type */
    uint64_t value;      /* of WIRE_VARINT */
    const uint8_t *data; /* of WIRE_BYTES, in place */
    size_t bytes;
};

/** Reads a varint of at most @max_bytes; false if it does not end within them or the data. */
static inline bool wire_read_varint(struct wire_cursor *cursor, unsigned max_bytes, uint64_t *ret_value) {
    uint64_t value = 0;
    for (unsigned i = 0; i < max_bytes && cursor->at < cursor->end; i++) {
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/** Skips bytes; false if fewer are left. */
static inline bool wire_skip(struct wire_cursor *cursor, size_t bytes) {
    if ((size_t)(cursor->end - cursor->at) < bytes) {
        return false;
    }
    cursor->at += bytes;
    return true;
}

/** Reads one whole field; false if the data is no field. Call only while at < end. Groups are refused. */
static inline bool wire_read_field(struct wire_cursor *cursor, struct wire_field *ret_field) {
    uint64_t tag;
    if (!wire_read_varint(cursor, 5, &tag) || tag > UINT32_MAX || tag < 8) {
        return false;
    }
    ret_field->number = (uint32_t)(tag >> 3);
    ret_field->type = (unsigned)(tag & 7);
    switch (ret_field->type) {
    case WIRE_VARINT:
        return wire_read_varint(cursor, 10, &ret_field->value);
    case WIRE_64BIT:
        return wire_skip(cursor, 8);
    case WIRE_32BIT:
        return wire_skip(cursor, 4);
    case WIRE_BYTES: {
        uint64_t bytes;
        if (!wire_read_varint(cursor, 5, &bytes) || bytes > INT32_MAX) {
            return false;
        }
        ret_field->data = cursor->at;
        ret_field->bytes = (size_t)bytes;
        return wire_skip(cursor, ret_field->bytes);
    }
    default:
        return false;
    }
}

static inline size_t wire_varint_bytes(uint64_t value) {
    size_t bytes = 1;
    while (value >= 0x80) {
        value >>= 7;
        bytes++;
    }
    return bytes;
}

static inline uint8_t *wire_put_varint(uint8_t *to, uint64_t value) {
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

/** Size of a field of type WIRE_BYTES whose number is below 16; 0 for an empty one, which is left out. */
static inline size_t wire_text_bytes(size_t bytes) {
    return bytes > 0 ? 1 + wire_varint_bytes(bytes) + bytes : 0;
}

/** Writes the head of a field of type WIRE_BYTES whose number is below 16. */
static inline uint8_t *wire_put_head(uint8_t *to, unsigned number, size_t bytes) {
    *to++ = (uint8_t)(number << 3 | WIRE_BYTES);
    return wire_put_varint(to, bytes);
}

/** Writes a whole field of type WIRE_BYTES whose number is below 16; nothing for an empty one. */
static inline uint8_t *wire_put_text(uint8_t *to, unsigned number, const void *data, size_t bytes) {
    if (bytes == 0) {
        return to;
    }
    to = wire_put_head(to, number, bytes);
    memcpy(to, data, bytes);
    return to + bytes;
}

#endif
