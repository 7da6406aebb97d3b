/*
 * libpq needs libldap, and that GnuTLS, which sets itself up in every process that loads it. Herald's TLS is OpenSSL's, so
 * that would be time and a megabyte for nothing. GnuTLS asks the program first, by this function (gnutls/gnutls.h:
 * GNUTLS_SKIP_GLOBAL_INIT). libldap sets it up itself when it needs it.
 */
int _gnutls_global_init_skip(void); /* NOLINT: GnuTLS gave the name */

int _gnutls_global_init_skip(void) /* NOLINT */ {
    return 1;
}
