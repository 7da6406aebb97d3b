#ifndef HERALD_AUTH_AUTH_SETTINGS_H
#define HERALD_AUTH_AUTH_SETTINGS_H

#include "server/settings/part.h"

#define AUTH_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                              \
    STRING(tls, cert_file, "", "Certificate and chain of tls+tcp:// listeners, PEM; read again when it changes.")      \
    STRING(tls, key_file, "", "Its private key, PEM, readable by nobody else; empty: in cert_file.")                   \
    STRING(tls, client_ca_file, "", "Whose clients may connect (mutual TLS), PEM; empty: anybody's.")                  \
    STRING(tls, ca_file, "", "Whom our own calls to tls+tcp:// URLs trust, PEM.")                                      \
    BOOL(auth, required, false, "Refuse calls without a valid credential, but to methods that anyone may call.")       \
    STRING(auth, callers_file, "", "Who may call what: keys, methods, users (see deploy/callers.ini.example).")        \
    STRING(auth, audience, "herald", "Bearer tokens with a claim aud must name this; those without aud are taken.")    \
    STRING(auth, key_id, "", "Key with which our own calls to other servers are signed; empty: they are not.")         \
    STRING(auth, key_file, "", "File with that key in base64, readable by nobody else.")
SETTINGS_PART(auth, AUTH_SETTINGS)

#endif
