#include "deploy/ctl/shell.h"

#include "deploy/ctl/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *shell_quote(const char *text) {
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
    if (text[0] != '\0' && text[strspn(text, safe)] == '\0') {
        return ctl_must(strdup(text));
    }
    char *quoted = ctl_must(malloc(4 * strlen(text) + 3));
    char *out = quoted;
    *out++ = '\'';
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'') {
            out = stpcpy(out, "'\\''"); /* end the quotes, a quote, begin them again */
        } else {
            *out++ = *c;
        }
    }
    *out++ = '\'';
    *out = '\0';
    return quoted;
}

/* "" or " --cacert FILE --cert FILE --key FILE". */
static char *tls_options(const char *url, const struct shell_tls *tls) {
    char *text = ctl_must(strdup(""));
    const char *const options[][2] = {{"cacert", tls->ca_file}, {"cert", tls->cert_file}, {"key", tls->key_file}};
    for (size_t i = 0; strncmp(url, "tls+", 4) == 0 && i < sizeof(options) / sizeof(options[0]); i++) {
        if (options[i][1] == NULL || options[i][1][0] == '\0') {
            continue;
        }
        char *quoted = shell_quote(options[i][1]), *longer = NULL;
        if (asprintf(&longer, "%s --%s %s", text, options[i][0], quoted) < 0) {
            ctl_must(NULL);
        }
        free(quoted);
        free(text);
        text = longer;
    }
    return text;
}

char *shell_nngcat(const char *probe, const char *url, const struct shell_tls *tls, uint32_t timeout_ms) {
    char *line = NULL;
    char *quoted_probe = shell_quote(probe), *quoted_url = shell_quote(url), *options = tls_options(url, tls);
    unsigned seconds = (timeout_ms + 999) / 1000 + 1;
    if (asprintf(&line, "printf %%s %s |\n    nngcat --req --dial %s%s --file - --raw --recv-timeout %u && echo",
                 quoted_probe, quoted_url, options, seconds) < 0) {
        ctl_must(NULL);
    }
    free(quoted_probe);
    free(quoted_url);
    free(options);
    return line;
}
