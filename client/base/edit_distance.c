#include "client/base/edit_distance.h"

#include "client/base/ascii.h"
#include "client/base/minimum.h"

#include <string.h>

/* A row of the table at a time: row[j] is the distance of a's first i letters from b's first j. */
unsigned herald_edit_distance(const char *a, const char *b) {
    uint32_t row[HERALD_EDIT_DISTANCE_MAX_BYTES + 1];
    size_t a_bytes = strnlen(a, HERALD_EDIT_DISTANCE_MAX_BYTES), b_bytes = strnlen(b, HERALD_EDIT_DISTANCE_MAX_BYTES);
    for (uint32_t j = 0; j <= b_bytes; j++) {
        row[j] = j;
    }
    for (uint32_t i = 1; i <= a_bytes; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b_bytes; j++) {
            uint32_t changed = diagonal + (herald_lower(a[i - 1]) != herald_lower(b[j - 1]));
            uint32_t inserted_or_removed = herald_min_u32(row[j], row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = herald_min_u32(changed, inserted_or_removed);
        }
    }
    return row[b_bytes];
}
