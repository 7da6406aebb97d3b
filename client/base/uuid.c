#include "herald/uuid.h"

#include "client/base/ascii.h"
#include "client/base/clock.h"
#include "client/base/random.h"

#include <stdatomic.h>
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

#if HERALD_FAILPOINTS
herald_wall_shift_fn *_Atomic herald_wall_shift;
#endif

/* Milliseconds and the 12 bits behind them, of the last UUID of this process. */
static _Atomic uint64_t last_stamp;

/*
 * The next stamp: the present millisecond with a random start in the lower half of the 12 bits, or one more than the last
 * stamp if that is not less. So UUIDs of a process rise strictly, whatever its threads and the wall clock do (RFC 9562,
 * 6.2, method 1). Where the 12 bits overflow they carry into the milliseconds.
 */
static uint64_t next_stamp(unsigned random) {
    uint64_t now = (uint64_t)herald_wall_us() / 1000u << 12 | (random & 0x7FF);
    uint64_t last = atomic_load_explicit(&last_stamp, memory_order_relaxed), next;
    do {
        next = now > last ? now : last + 1;
    } while (
        !atomic_compare_exchange_weak_explicit(&last_stamp, &last, next, memory_order_relaxed, memory_order_relaxed));
    return next;
}

void herald_uuid7(char ret_uuid[37]) {
    unsigned char bytes[16];
    herald_random_bytes(bytes + 6, 10);
    uint64_t stamp = next_stamp((unsigned)bytes[6] << 8 | bytes[7]);
    for (int i = 0; i < 6; i++) {
        bytes[i] = (unsigned char)(stamp >> (8 * (5 - i) + 12));
    }
    bytes[6] = (unsigned char)(0x70 | (stamp >> 8 & 0x0F));
    bytes[7] = (unsigned char)stamp;
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3F));
    write_uuid(bytes, ret_uuid);
}

bool herald_uuid_valid(const char *text, size_t text_bytes) {
    static const char shape[36] = "00000000-0000-0000-0000-000000000000";
    unsigned wrong = 0;
    if (text_bytes != sizeof(shape)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(shape); i++) { /* without branches, so that it is vectorized */
        unsigned digit = (unsigned char)text[i] - '0', letter = ((unsigned char)text[i] | 0x20u) - 'a';
        unsigned not_hex = (digit > 9) & (letter > 5), not_dash = text[i] != '-';
        wrong |= shape[i] == '-' ? not_dash : not_hex;
    }
    return wrong == 0;
}
