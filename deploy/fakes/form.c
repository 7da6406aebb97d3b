#include "deploy/fakes/form.h"

#include <stdlib.h>
#include <string.h>

static int hex_digit(char letter) {
    if (letter >= '0' && letter <= '9') {
        return letter - '0';
    }
    letter = (char)(letter | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static char *decode_form(const char *from, size_t bytes) {
    char *text = malloc(bytes + 1), *to = text;
    for (size_t i = 0; text != NULL && i < bytes; i++) {
        bool escape = from[i] == '%' && i + 2 < bytes && hex_digit(from[i + 1]) >= 0 && hex_digit(from[i + 2]) >= 0;
        if (escape) {
            *to++ = (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2]));
            i += 2;
        } else {
            *to++ = from[i] == '+' ? ' ' : from[i];
        }
    }
    if (text != NULL) {
        *to = '\0';
    }
    return text;
}

char *form_value(const struct fakes_request *request, const char *name) {
    size_t name_bytes = strlen(name);
    for (const char *at = request->body; at != NULL && *at != '\0';) {
        size_t bytes = strcspn(at, "&");
        if (bytes > name_bytes && at[name_bytes] == '=' && memcmp(at, name, name_bytes) == 0) {
            return decode_form(at + name_bytes + 1, bytes - name_bytes - 1);
        }
        at += bytes + (at[bytes] == '&');
    }
    const char *value = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
    return value != NULL ? strdup(value) : NULL;
}
