#!/bin/bash
# Sources the completion scripts as shells do and looks at what they offer. Usage: test_completions.sh HERALDCTL
set -euo pipefail
heraldctl=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/files"
"$heraldctl" completions bash >"$folder/bash.sh"
"$heraldctl" completions zsh >"$folder/_heraldctl"
cd "$folder/files"
touch draft.json draft.txt
failures=0

# What bash offers for these words, the last one being typed: one line, sorted.
in_bash() {
    bash -uc '
        source ../bash.sh
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _heraldctl
        ((${#COMPREPLY[@]} == 0)) || printf "%s\n" "${COMPREPLY[@]}"
        true' bash "$@" | LC_ALL=C sort | paste -sd' '
}

# The same in zsh, with the functions of its completion system replaced by ones that print.
in_zsh() {
    zsh -fc '
        compadd() { shift; print -rl -- "$@"; }
        compset() { [[ $2 == "@" ]] && prefix=@; }
        _files() { print -rl -- *; }
        _describe() { print -rl -- ${${(P)4}%%:*}; }
        source ../_heraldctl
        words=("$@") CURRENT=$#
        typed=${words[CURRENT]##*=}
        _heraldctl | while read -r word; do [[ $word != ${typed#@}* ]] || print -r -- $word; done
        true' zsh "$@" |
        LC_ALL=C sort | paste -sd' '
}

# expect "WANTED" SHELL WORD...: the words offered are these.
expect() {
    local wanted=$1 shell=$2 got
    shift 2
    got=$("in_$shell" "$@") || got="(failed) $got"
    [[ $got == "$wanted" ]] && return
    echo "FAILED in $shell: $*"
    echo "  wanted: $wanted"
    echo "  got:    $got"
    failures=$((failures + 1))
}

# offers WORD SHELL WORD...: one of the words offered is this.
offers() {
    local wanted=$1 shell=$2 got
    shift 2
    got=$("in_$shell" "$@") || got="(failed) $got"
    [[ " $got " == *" $wanted "* ]] && return
    echo "FAILED in $shell: $*: $wanted is not in: $got"
    failures=$((failures + 1))
}

for shell in bash zsh; do
    offers call "$shell" heraldctl ''
    expect 'deliveries describe doctor' "$shell" heraldctl d
    expect 'health' "$shell" heraldctl -o json hea
    expect '--offline --output' "$shell" heraldctl ls --o
    expect '--once --output' "$shell" heraldctl top --o
    expect '--version' "$shell" heraldctl --ver
    expect 'json table' "$shell" heraldctl -o ''
    expect 'json' "$shell" heraldctl ls --output j
    expect 'content distribution event job' "$shell" heraldctl call --server ''
    expect 'GetPurpose' "$shell" heraldctl call GetP
    expect 'GetJob' "$shell" heraldctl call -d '{}' -v GetJ
    expect 'EventService/GetPurpose' "$shell" heraldctl call EventService/GetP
    expect 'herald.event.v1.EventService/GetPurpose' "$shell" heraldctl bench herald.event.v1.EventService/GetP
    offers EventDraft "$shell" heraldctl describe EventD
    offers herald.event.v1.EventDraft "$shell" heraldctl describe herald.event.v1.Ev
    expect 'job publish' "$shell" heraldctl watch ''
    expect '' "$shell" heraldctl watch job ''
    expect '' "$shell" heraldctl watch publish e1 ''
    expect 'auto close open pause resume' "$shell" heraldctl channel ''
    expect 'GENIE_TV INSTAGRAM KAKAO_CHANNEL NAVER_BLOG RINGO_BIZ WOORIDONGNE_TV' "$shell" heraldctl channel pause ''
    expect 'KAKAO_CHANNEL' "$shell" heraldctl deliveries --unknown --channel K
    expect '' "$shell" heraldctl deliveries ''
    expect 'resolve retry' "$shell" heraldctl deliveries e1 re
    expect 'NAVER_BLOG' "$shell" heraldctl deliveries e1 confirm N
    expect 'again give-up published' "$shell" heraldctl deliveries e1 resolve NAVER_BLOG ''
    expect 'bash zsh' "$shell" heraldctl completions ''
    expect 'delay( drop' "$shell" heraldctl failpoint rpc.reply d
    expect 'draft.json draft.txt' "$shell" heraldctl --config dr
    expect 'draft.json draft.txt' "$shell" heraldctl ls --config dr
    expect '' "$shell" heraldctl ls ''
    expect '' "$shell" heraldctl nothing ''
    expect '' "$shell" heraldctl call -t ''
done

# bash breaks words at = : @.
expect 'json table' bash heraldctl ls --output =
expect 'json' bash heraldctl ls --output = j
expect 'GetJob' bash heraldctl call --url tcp : //127.0.0.1 : 7101 GetJ
expect 'draft.json draft.txt' bash heraldctl call GetJob -d @
expect 'draft.json draft.txt' bash heraldctl call GetJob -d @ dr
# zsh does not.
expect 'json' zsh heraldctl ls --output=j
expect 'GetJob' zsh heraldctl call --url tcp://127.0.0.1:7101 GetJ
expect 'draft.json draft.txt' zsh heraldctl call GetJob -d @dr

((failures == 0)) || exit 1
echo "completions: all as expected"
