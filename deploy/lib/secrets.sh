# shellcheck shell=bash
# The secrets of a private stack: a key for each caller, the callers file, and with --secure a CA with certificates.
# Sourced after output.sh; all of it is in $SECRETS, which only its owner may enter.

# Who has a key, and for what: NAME CLASS METHODS.
SECRET_CALLERS=(
    'herald-event server herald.job.v1.JobService/*, herald.distribution.v1.DistributionService/*'
    'herald-content server herald.job.v1.JobService/UpdateJob'
    'demo client herald.event.v1.EventService/*, herald.job.v1.JobService/*, herald.distribution.v1.DistributionService/*'
    'operator server *' # who develops tries what only servers may do, too
)

# secrets_make: what is there already stays. A callers file from before callers had classes is written anew, with its keys.
secrets_make() {
    mkdir -p "$SECRETS" && chmod 700 "$SECRETS" || return 1
    grep -qs '^class = ' "$SECRETS/callers.ini" || make_callers || return 1
    [[ -z $SECURE || -s $SECRETS/client.pem ]] || make_certificates
}

make_callers() {
    local row name class methods
    say "keys: one for each caller, in $SECRETS"
    for row in "${SECRET_CALLERS[@]}"; do
        read -r name class methods <<<"$row"
        [[ -s $SECRETS/$name.key ]] || random_text 32 >"$SECRETS/$name.key" || return 1
        printf '[caller %s]\nkey.%s-1 = %s\nclass = %s\nmethods = %s\nact_for = any\n\n' "$name" "$name" \
            "$(<"$SECRETS/$name.key")" "$class" "$methods"
    done >"$SECRETS/callers.new" && mv "$SECRETS/callers.new" "$SECRETS/callers.ini"
}

# make_certificate NAME EXTENSIONS [SIGNER]: NAME.pem and NAME.key, signed by SIGNER or by itself.
make_certificate() {
    local name=$1 extensions=$2 signer=()
    if [[ -n ${3:-} ]]; then
        signer=(-CA "$SECRETS/$3.pem" -CAkey "$SECRETS/$3.key")
    fi
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 "${signer[@]}" \
        -subj "/CN=Herald dev $name" -keyout "$SECRETS/$name.key" -out "$SECRETS/$name.new" -extensions extensions \
        -config <(printf '[req]\ndistinguished_name = name\n[name]\n[extensions]\n%b' "$extensions") \
        >>"$LOGS/openssl.log" 2>&1 && mv "$SECRETS/$name.new" "$SECRETS/$name.pem"
}

# The address is a DNS name too, because mbedTLS, with which nng's own programs check it, looks nowhere else.
make_certificates() {
    local leaf='basicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\n'
    say "certificates: a CA of this stack, one for the servers and one for their clients"
    make_certificate ca 'basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n' &&
        make_certificate server "${leaf}extendedKeyUsage = serverAuth,clientAuth
subjectAltName = DNS:localhost,DNS:127.0.0.1,IP:127.0.0.1\n" ca &&
        make_certificate client "${leaf}extendedKeyUsage = clientAuth\n" ca || {
        warn "the certificates could not be made"
        show_tail "$LOGS/openssl.log"
        return 1
    }
}

# secrets_ini: the sections [auth] and [tls] of the servers' settings. The reader cuts long lines; the environment of
# secrets_export says it in any case.
secrets_ini() {
    printf '[auth]\nrequired = %s\n' "$([[ -n $SECURE ]] && echo true || echo false)"
    ((${#SECRETS} < 160)) || return 0
    echo "callers_file = $SECRETS/callers.ini"
    [[ -n $SECURE ]] || return 0
    printf '[tls]\n%s = %s\n' cert_file "$SECRETS/server.pem"
    printf '%s = %s\n' key_file "$SECRETS/server.key" client_ca_file "$SECRETS/ca.pem" ca_file "$SECRETS/ca.pem"
}

# secrets_export: for the programs that this script starts.
secrets_export() {
    export HERALD_AUTH_CALLERS_FILE=$SECRETS/callers.ini
    [[ -n $SECURE ]] || return 0
    export HERALD_TLS_CERT_FILE=$SECRETS/server.pem HERALD_TLS_KEY_FILE=$SECRETS/server.key
    export HERALD_TLS_CLIENT_CA_FILE=$SECRETS/ca.pem HERALD_TLS_CA_FILE=$SECRETS/ca.pem
}

# secrets_env CALLER: what a client needs to call as CALLER, NAME=VALUE a line.
secrets_env() {
    cat <<TEXT
HERALD_AUTH_CALLERS_FILE=$SECRETS/callers.ini
HERALD_AUTH_KEY_ID=$1-1
HERALD_AUTH_KEY_FILE=$SECRETS/$1.key
TEXT
    [[ -n $SECURE ]] || return 0
    cat <<TEXT
HERALD_TLS_CA_FILE=$SECRETS/ca.pem
HERALD_TLS_CERT_FILE=$SECRETS/client.pem
HERALD_TLS_KEY_FILE=$SECRETS/client.key
TEXT
}
