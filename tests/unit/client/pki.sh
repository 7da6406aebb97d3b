#!/bin/sh
# Makes what test_tls needs in a folder: two authorities, server certificates for names, a client's certificate,
# and certificates that clients refuse.
# Usage: pki.sh FOLDER
set -eu
cd "$1"
authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.pem" -days 2 \
        -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
}
certificate() { # FILE AUTHORITY DNS-NAME [DAYS [KEY [EXTENSION]]]
    key=${5:-}
    if [ -n "$key" ]; then
        openssl req -newkey "$key" -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=job.test" 2>/dev/null
    else
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" \
            -subj "/CN=${3:-job.test}" 2>/dev/null
    fi
    printf '%s\n' "${6:-}" >"$1.ext"
    [ -z "$3" ] || printf 'subjectAltName=DNS:%s\n' "$3" >>"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "${4:-2}" -out "$1.pem" \
        -extfile "$1.ext" 2>/dev/null
    chmod 600 "$1.key"
}
authority ca
authority other-ca
certificate server ca job.test
certificate wrong-name ca elsewhere.test
certificate client ca shop-backend
certificate stranger other-ca shop-backend
certificate expired ca job.test -1
certificate nameless ca ''
certificate edwards ca job.test 2 'ed25519'
certificate between ca '' 2 '' 'basicConstraints=critical,CA:TRUE'
certificate leaf between job.test
cat leaf.pem between.pem >chain.pem
