#include "client/message/pattern.h"

#define DEAD_STATE      0
#define START_STATE     1
#define OTHER_CHARACTER (HERALD_PATTERN_SYMBOLS - 1)

bool herald_pattern_matches(const struct herald_pattern *pattern, const char *text) {
    unsigned state = START_STATE;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0' && state != DEAD_STATE; at++) {
        if ((*at & 0xC0) == 0x80) {
            continue; /* a continuation byte of the character before */
        }
        unsigned symbol = *at < 0x80 ? *at : OTHER_CHARACTER;
        state = pattern->next[state * pattern->class_count + pattern->classes[symbol]];
    }
    return pattern->accepts[state] != 0;
}
