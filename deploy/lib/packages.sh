# shellcheck shell=bash
# Debian packages from deploy/packages.txt. Sourced after output.sh; HERALD_ROOT names the checkout.

# packages_in GROUP…: their names.
packages_in() {
    local group
    for group in "$@"; do
        awk -v group="$group" '$1 == group { print $2 }' "$HERALD_ROOT/deploy/packages.txt"
    done
}

# packages_there: names of what is installed, and of what that provides (Node.js of others brings npm with it).
packages_there() {
    # shellcheck disable=SC2016 # dpkg-query's fields
    dpkg-query -W -f='${db:Status-Status} ${Package}, ${Provides}\n' | sed -n 's/^installed //p' | tr ',' '\n' |
        sed 's/(.*//; s/[[:space:]]//g' | sort -u
}

# packages_missing GROUP…: those that are not there.
packages_missing() {
    packages_in "$@" | sort -u | comm -23 - <(packages_there)
}

# packages_install LOG GROUP…: installs what is missing, as root or by sudo, without questions.
packages_install() {
    local log=$1 missing=() as_root=()
    shift
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        warn "no apt here: packages cannot be installed; deploy/packages.txt lists what is needed"
        return 0
    fi
    mapfile -t missing < <(packages_missing "$@")
    if ((${#missing[@]} == 0)); then
        say "packages: all there"
        return 0
    fi
    say "packages: installing ${#missing[@]}: ${missing[*]}"
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            warn "packages are missing, and only root can install them. As root, run:"
            warn "    apt-get update && apt-get install --yes ${missing[*]}"
            return 1
        fi
        # Where a password is needed, ask for it now, not behind the progress line.
        sudo -v || return 1
        as_root=(sudo)
    fi
    run_logged "packages" "$log" "${as_root[@]}" bash "$HERALD_ROOT/deploy/lib/apt-install" "${missing[@]}"
}
