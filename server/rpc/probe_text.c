#include "server/rpc/probe_text.h"

#include "client/base/ascii.h"
#include "herald/utf8.h"

bool probe_is(const uint8_t *data, size_t bytes) {
    return bytes > 0 && (data[0] == '{' || (data[0] >= 'a' && data[0] <= 'z'));
}

/* JSON allows DEL and U+0080 to U+009F in strings; the JSON of a probe begins at its first '{'. */
bool probe_is_text(const uint8_t *data, size_t bytes) {
    bool json = false, quoted = false, escaped = false;
    for (size_t i = 0; i < bytes; i++) {
        uint8_t c = data[i];
        if (c < 0x20 && !herald_is_space((char)c)) {
            return false;
        }
        if (!quoted && (c == 0x7f || (c == 0xc2 && i + 1 < bytes && data[i + 1] < 0xa0))) {
            return false;
        }
        json = json || c == '{';
        if (c == '"' && !escaped) {
            quoted = json && !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    return bytes > 0 && herald_utf8_valid((const char *)data, bytes, NULL);
}
