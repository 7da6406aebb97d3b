# shellcheck shell=bash
# What the scripts say, and how they run long commands. Sourced; needs bash.

now_ms() {
    local now=${EPOCHREALTIME/[.,]/}
    echo "${now%???}"
}

# seconds_since MS: "12.3", for people.
seconds_since() {
    local elapsed=$(($(now_ms) - $1))
    printf '%d.%d' $((elapsed / 1000)) $((elapsed % 1000 / 100))
}

output_started_ms=$(now_ms)

# say TEXT…: a line with the time since the script began.
say() {
    printf '[%6ss] %s\n' "$(seconds_since "$output_started_ms")" "$*"
}

warn() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
    warn "$@"
    exit 1
}

# show_tail LOG: why it failed, on stderr.
show_tail() {
    [[ -s $1 ]] || return 0
    printf -- '--- last lines of %s\n' "$1" >&2
    tail -n 20 "$1" | sed 's/^/    /' >&2
    printf -- '---\n' >&2
}

# The last line of a log, for a progress line: printable characters only.
last_line() {
    tail -c 400 "$1" 2>/dev/null | tr '\r' '\n' | tr -cd '[:print:]\n' | grep '[^ ]' | tail -n 1
}

# terminal_width: of the terminal that the script belongs to; 80 where it does not say.
terminal_width() {
    local columns
    columns=$(stty size 2>/dev/null </dev/tty | cut -d' ' -f2)
    echo "$((${columns:-0} > 0 ? columns : 80))"
}

# A line that reached the last column would not be overwritten by the next one.
progress_line() {
    local line
    printf -v line '          … %s, %s s  %s' "$@"
    printf '\r\033[K%s' "${line:0:$(terminal_width) - 1}"
}

# show_progress PID LABEL LOG STARTED_MS: until the process ends; one line that is overwritten on a terminal,
# else a line every ten seconds.
show_progress() {
    local pid=$1 label=$2 log=$3 started=$4 next=10
    while kill -0 "$pid" 2>/dev/null; do
        if [[ -t 1 ]]; then
            progress_line "$label" "$(seconds_since "$started")" "$(last_line "$log")"
        elif (($(now_ms) - started >= next * 1000)); then
            printf '          … %s, %d s  %.90s\n' "$label" "$next" "$(last_line "$log")"
            next=$((next + 10))
        fi
        sleep 0.2
    done
    if [[ -t 1 ]]; then
        printf '\r\033[K'
    fi
}

# The command that run_logged runs now; empty: none.
run_logged_pid=''

# Ctrl-C and TERM end the script and the long command that it runs.
end_on_signals() {
    trap 'end_now 130' INT
    trap 'end_now 143' TERM HUP
}

end_now() {
    if [[ -n $run_logged_pid ]]; then
        kill -TERM "$run_logged_pid" 2>/dev/null
    fi
    printf '\n' >&2
    warn "interrupted"
    exit "$1"
}

# run_logged LABEL LOG COMMAND…: runs a long command with its output in LOG, showing that it lives. Returns the
# command's status; when that is not 0, its last lines have been shown.
run_logged() {
    local label=$1 log=$2 started status=0
    shift 2
    started=$(now_ms)
    : >"$log"
    "$@" </dev/null >>"$log" 2>&1 &
    run_logged_pid=$!
    show_progress "$run_logged_pid" "$label" "$log" "$started"
    wait "$run_logged_pid" || status=$?
    run_logged_pid=''
    if ((status == 0)); then
        say "$label: done in $(seconds_since "$started") s"
    else
        say "$label: FAILED after $(seconds_since "$started") s (exit status $status)"
        show_tail "$log"
    fi
    return "$status"
}
