#ifndef HERALD_CTL_SHELL_H
#define HERALD_CTL_SHELL_H

#include <stdint.h>

/** @text as one word of a POSIX shell, in single quotes if necessary. Free it with free(). */
char *shell_quote(const char *text);

/** PEM files for nngcat's TLS; NULL or empty: not needed. */
struct shell_tls {
    const char *ca_file, *cert_file, *key_file;
};

/**
 * The shell command that makes a call as a plain-text probe with nngcat:
 *
 *     printf %s 'herald.event.v1.EventService/GetEvent {"userId":"u"}' |
 *         nngcat --req --dial tcp://127.0.0.1:7101 --file - --raw --recv-timeout 6 && echo
 *
 * (--ascii would show dots for Hangul; --raw writes no newline.)
 *
 * @probe       the probe's text
 * @tls         for a tls+tcp:// URL
 * @timeout_ms  of the call; nngcat waits for it, rounded up to seconds, and one second more
 * Returns: without a newline at the end; free it with free()
 */
char *shell_nngcat(const char *probe, const char *url, const struct shell_tls *tls, uint32_t timeout_ms);

#endif
