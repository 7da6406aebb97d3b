#include "client/ctl/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory) {
    if (memory == NULL) {
        fputs("heraldctl: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

char *shell_quote(const char *text) {
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
    if (text[0] != '\0' && text[strspn(text, safe)] == '\0')
        return must(strdup(text));
    char *quoted = must(malloc(4 * strlen(text) + 3));
    char *out = quoted;
    *out++ = '\'';
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'')
            out = stpcpy(out, "'\\''"); /* end the quotes, a quote, begin them again */
        else
            *out++ = *c;
    }
    *out++ = '\'';
    *out = '\0';
    return quoted;
}

char *shell_nngcat(const char *probe, const char *url, uint32_t timeout_ms) {
    char *line = NULL;
    char *quoted_probe = shell_quote(probe);
    char *quoted_url = shell_quote(url);
    unsigned seconds = (timeout_ms + 999) / 1000 + 1;
    if (asprintf(&line, "printf %%s %s |\n    nngcat --req --dial %s --file - --raw --recv-timeout %u && echo",
                 quoted_probe, quoted_url, seconds) < 0)
        must(NULL);
    free(quoted_probe);
    free(quoted_url);
    return line;
}
