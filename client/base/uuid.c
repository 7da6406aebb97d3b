#include "herald/uuid.h"

#include "client/base/ascii.h"
#include "client/base/clock.h"
#include "client/base/random.h"

#include <stdint.h>
#include <string.h>

static void write_uuid(const unsigned char bytes[16], char ret_uuid[37]) {
    static const char digits[] = "0123456789abcdef";
    char *to = ret_uuid;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *to++ = '-';
        }
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    *to = '\0';
}

void herald_uuid7(char ret_uuid[37]) {
    unsigned char bytes[16];
    herald_random_bytes(bytes + 6, 10);
    uint64_t now_ms = (uint64_t)herald_wall_us() / 1000u;
    for (int i = 0; i < 6; i++) {
        bytes[i] = (unsigned char)(now_ms >> (8 * (5 - i)));
    }
    bytes[6] = (unsigned char)(0x70 | (bytes[6] & 0x0F));
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3F));
    write_uuid(bytes, ret_uuid);
}

bool herald_uuid_valid(const char *text, size_t text_bytes) {
    if (text_bytes != 36) {
        return false;
    }
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : herald_hex_value(text[i]) < 0) {
            return false;
        }
    }
    return true;
}
