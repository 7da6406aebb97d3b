# shellcheck shell=bash
# For tests that drive the stack of this checkout, which ends with the test. Sourced with the checkout as current folder.

export HERALD_DEV_PORT_BASE=${HERALD_DEV_PORT_BASE:-17200}
dev=./deploy/dev
scratch=$(mktemp -d)

clean_up() {
    # shellcheck disable=SC2046 # pids
    kill $(jobs -p) 2>/dev/null
    "$dev" down >/dev/null 2>&1
    [[ ! -e $scratch/second ]] || HERALD_DEV_STATE=$scratch/second "$dev" down >/dev/null 2>&1
    rm -rf "$scratch"
}
trap clean_up EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# within SECONDS COMMAND…: it succeeds before so many seconds are over.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

pid_of() {
    cut -d' ' -f1 ".state/dev/run/$1.pid"
}

# no_stack: what the test would disturb.
no_stack() {
    [[ ! -e .state ]] || {
        trap - EXIT
        fail "a stack of this checkout exists; './deploy/dev down' removes it"
    }
}
