#!/bin/sh
# Makes what test_tls needs in a folder: two authorities, server certificates for names, a client's certificate.
# Usage: pki.sh FOLDER
set -eu
cd "$1"
authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.pem" -days 2 \
        -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
}
certificate() { # FILE AUTHORITY DNS-NAME
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" \
        -subj "/CN=$3" 2>/dev/null
    printf 'subjectAltName=DNS:%s\n' "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 2 -out "$1.pem" \
        -extfile "$1.ext" 2>/dev/null
    chmod 600 "$1.key"
}
authority ca
authority other-ca
certificate server ca job.test
certificate wrong-name ca elsewhere.test
certificate client ca shop-backend
certificate stranger other-ca shop-backend
