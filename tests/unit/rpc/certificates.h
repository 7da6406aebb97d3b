#ifndef HERALD_TESTS_UNIT_RPC_CERTIFICATES_H
#define HERALD_TESTS_UNIT_RPC_CERTIFICATES_H

#include <stdbool.h>

/*
 * Certificates for tests, made when they run: files in a folder of their own. NAME.pem holds the certificate, NAME.key
 * its key (mode 0600).
 */

/** Makes the folder. */
void certificates_init(void);
/** Removes it with all that is in it. */
void certificates_fini(void);

/** Makes a CA under a name. */
void make_ca(const char *name);

struct leaf {
    const char *name; /* of the files */
    const char *ca;   /* that signs it */
    const char *dns;  /* names it is good for, such as "DNS:localhost,IP:127.0.0.1"; NULL: none (a client's) */
    int from_s, to_s; /* validity from now; both 0: a day */
};
/** Makes a certificate, in place of the one that had its name. Returns its serial number. */
long make_leaf(const struct leaf *leaf);

/** "<folder>/<name><suffix>"; one of the last eight results. */
const char *certificate_path(const char *name, const char *suffix);
/** Has job servers that this process starts listen with TLS and a certificate. */
void serve_with_certificate(const char *name);
/** The text of a file; free() it. */
char *certificate_text(const char *name, const char *suffix);

#endif
