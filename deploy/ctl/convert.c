/* Converts messages between JSON and bytes: convert.h. */
#include "deploy/ctl/convert.h"

#include "deploy/ctl/input.h"
#include "herald/json.h"
#include "herald/unpack.h"
#include "herald/validate.h"

#include <stdlib.h>
#include <string.h>

/* A message in one of its forms. */
struct piece {
    char *data;
    size_t bytes;
};

static enum herald_code read_message_piece(const struct conversion *conversion, const struct piece *piece,
                                           ProtobufCMessage **ret_message, struct herald_error *reterr) {
    const struct herald_json_read_options options = {.ignore_unknown = conversion->ignore_unknown,
                                                     .max_bytes = CONVERT_MAX_BYTES};
    if (conversion->to_json) {
        return herald_unpack(conversion->schema, NULL, (const uint8_t *)piece->data, piece->bytes, ret_message, reterr);
    }
    return herald_json_read(conversion->schema, piece->data, piece->bytes, &options, NULL, ret_message, reterr);
}

static enum herald_code write_message(const struct conversion *conversion, const ProtobufCMessage *message,
                                      struct piece *ret_piece, struct herald_error *reterr) {
    const struct herald_json_write_options options = {.indent = conversion->indent};
    struct piece piece = {NULL, 0};
    if (conversion->to_json) {
        enum herald_code code = herald_json_write(conversion->schema, message, &options, &piece.data, reterr);
        if (code != HERALD_OK) {
            return code;
        }
        piece.bytes = strlen(piece.data);
    } else {
        piece.bytes = protobuf_c_message_get_packed_size(message);
        piece.data = malloc(piece.bytes + 1);
        if (!piece.data) {
            return herald_error_no_memory(reterr, "a message");
        }
        protobuf_c_message_pack(message, (uint8_t *)piece.data);
    }
    *ret_piece = piece;
    return HERALD_OK;
}

static enum herald_code convert(const struct conversion *conversion, const struct piece *from, struct piece *ret_to,
                                struct herald_error *reterr) {
    ProtobufCMessage *message = NULL;
    enum herald_code code = read_message_piece(conversion, from, &message, reterr);
    if (code == HERALD_OK && conversion->validate) {
        code = herald_validate(conversion->schema, message, reterr);
    }
    if (code == HERALD_OK) {
        code = write_message(conversion, message, ret_to, reterr);
    }
    if (message) {
        protobuf_c_message_free_unpacked(message, NULL);
    }
    return code;
}

enum herald_code convert_one(const struct conversion *conversion, FILE *in, FILE *out, struct herald_error *reterr) {
    struct piece from, to;
    enum herald_code code = input_read_stream(in, "standard input", CONVERT_MAX_BYTES, &from.data, &from.bytes, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = convert(conversion, &from, &to, reterr);
    free(from.data);
    if (code != HERALD_OK) {
        return code;
    }
    fwrite(to.data, 1, to.bytes, out);
    if (conversion->to_json) {
        fputc('\n', out);
    }
    free(to.data);
    return HERALD_OK;
}

/* --- streams --- */

static enum herald_code input_cut_off(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_CUT_OFF, "the input ends in the middle of a message");
}

/* Reads a length. @ret_end  whether the input ended before it */
static enum herald_code read_length(FILE *in, size_t *ret_length, bool *ret_end, struct herald_error *reterr) {
    size_t length = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        int c = fgetc(in);
        *ret_end = c == EOF && shift == 0;
        if (c == EOF) {
            return *ret_end ? HERALD_OK : input_cut_off(reterr);
        }
        length |= (size_t)(c & 0x7F) << shift;
        if ((c & 0x80) == 0) {
            *ret_length = length;
            if (length <= CONVERT_MAX_BYTES) {
                return HERALD_OK;
            }
            break;
        }
    }
    return herald_error_set(reterr, HERALD_REASON_TOO_LONG, "a message is longer than %zu bytes", CONVERT_MAX_BYTES);
}

static enum herald_code read_binary_message(FILE *in, struct piece *ret_piece, bool *ret_end,
                                            struct herald_error *reterr) {
    size_t length = 0;
    enum herald_code code = read_length(in, &length, ret_end, reterr);
    if (code != HERALD_OK || *ret_end) {
        return code;
    }
    char *data = malloc(length + 1);
    if (!data) {
        return herald_error_no_memory(reterr, "a message");
    }
    if (fread(data, 1, length, in) != length) {
        free(data);
        return input_cut_off(reterr);
    }
    *ret_piece = (struct piece){data, length};
    return HERALD_OK;
}

static enum herald_code read_json_line(FILE *in, struct piece *ret_piece, bool *ret_end, struct herald_error *reterr) {
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes = getline(&line, &room, in);
    *ret_end = bytes < 0 && feof(in);
    if (bytes >= 0) {
        *ret_piece = (struct piece){line, (size_t)bytes};
        return HERALD_OK;
    }
    free(line);
    return *ret_end ? HERALD_OK : herald_error_no_memory(reterr, "a message");
}

static void write_piece(const struct conversion *conversion, const struct piece *piece, FILE *out) {
    size_t length = piece->bytes;
    if (!conversion->to_json) {
        for (; length >= 0x80; length >>= 7) {
            fputc((int)(length & 0x7F) | 0x80, out);
        }
        fputc((int)length, out);
    }
    fwrite(piece->data, 1, piece->bytes, out);
    if (conversion->to_json) {
        fputc('\n', out);
    }
}

enum herald_code convert_stream(const struct conversion *conversion, FILE *in, FILE *out, size_t *ret_record,
                                struct herald_error *reterr) {
    for (size_t record = 1;; record++) {
        struct piece from = {NULL, 0}, to = {NULL, 0};
        bool end = false;
        enum herald_code code = conversion->to_json ? read_binary_message(in, &from, &end, reterr)
                                                    : read_json_line(in, &from, &end, reterr);
        if (code == HERALD_OK && end) {
            return HERALD_OK;
        }
        if (code == HERALD_OK) {
            code = convert(conversion, &from, &to, reterr);
        }
        free(from.data);
        if (code != HERALD_OK) {
            *ret_record = record;
            return code;
        }
        write_piece(conversion, &to, out);
        free(to.data);
    }
}
