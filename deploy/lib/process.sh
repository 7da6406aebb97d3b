# shellcheck shell=bash
# Background processes with pid files. Sourced after output.sh.
#
# A pid file holds "PID STARTTIME BOOT": a number alone may have gone to another program since, and none of ours may
# ever be mistaken for it, so a process counts as ours only if its start time (clock ticks since boot) and the boot agree.

boot_id() {
    cat /proc/sys/kernel/random/boot_id
}

# process_start_time PID: clock ticks since boot; fails when there is no such process or it is a zombie.
process_start_time() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # The name in parentheses may hold anything; what follows the last one is regular: field 3 is the state, 22 the time.
    read -r -a fields <<<"${stat##*) }"
    [[ ${fields[0]} != [ZX] ]] || return 1
    echo "${fields[19]}"
}

# process_pid PIDFILE: the pid if that very process lives, else fails.
process_pid() {
    local pid started boot
    [[ -f $1 ]] || return 1
    read -r pid started boot <"$1" || return 1
    [[ $pid =~ ^[0-9]+$ && $boot == "$(boot_id)" ]] || return 1
    [[ $(process_start_time "$pid") == "$started" ]] || return 1
    echo "$pid"
}

process_alive() {
    process_pid "$1" >/dev/null
}

# process_record PIDFILE PID
process_record() {
    local started
    started=$(process_start_time "$2") || return 1
    echo "$2 $started $(boot_id)" >"$1.new" && mv "$1.new" "$1"
}

# close_inherited: in a subshell that ends with exec. Whatever starts the stack may hold a lock or the end of a pipe, and
# would wait for as long as a daemon has it too.
close_inherited() {
    local fd
    for fd in "/proc/$BASHPID/fd/"*; do
        fd=${fd##*/}
        ((fd <= 2)) || eval "exec $fd>&-"
    done
}

# process_start PIDFILE LOG COMMAND…: in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it,
# and with no descriptor but the three of its own.
process_start() {
    local pidfile=$1 log=$2
    shift 2
    (
        close_inherited
        exec setsid "$@"
    ) </dev/null >>"$log" 2>&1 &
    # It may have ended already; whoever waits for it to be ready finds out and shows the log.
    process_record "$pidfile" $! || rm -f "$pidfile"
}

# process_wait_ready NAME PIDFILE LOG SECONDS COMMAND…: until COMMAND succeeds. Fails, with the log's last lines shown,
# when the process ends before that or the time is over.
process_wait_ready() {
    local name=$1 pidfile=$2 log=$3 seconds=$4 deadline
    shift 4
    deadline=$(($(now_ms) + seconds * 1000))
    until "$@" >/dev/null 2>&1; do
        if ! process_alive "$pidfile"; then
            warn "$name ended while starting"
            show_tail "$log"
            return 1
        fi
        if (($(now_ms) > deadline)); then
            warn "$name does not answer after $seconds s"
            show_tail "$log"
            return 1
        fi
        sleep 0.05
    done
}

# process_stop NAME PIDFILE SIGNAL SECONDS: asks with SIGNAL, kills after SECONDS. Nothing to stop is fine.
process_stop() {
    local name=$1 pidfile=$2 signal=$3 seconds=$4 pid deadline
    if pid=$(process_pid "$pidfile"); then
        kill -s "$signal" "$pid" 2>/dev/null || true
        deadline=$(($(now_ms) + seconds * 1000))
        while process_alive "$pidfile"; do
            if (($(now_ms) > deadline)); then
                warn "$name (process $pid) did not end within $seconds s of SIG$signal: killed"
                kill -s KILL "$pid" 2>/dev/null || true
                deadline=$(($(now_ms) + 5000))
            fi
            sleep 0.05
        done
    fi
    rm -f "$pidfile"
}

# port_taken PORT: somebody listens there on loopback.
port_taken() {
    (exec 8<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# free_port: one nobody listens on, below the range from which the kernel gives out ports by itself, and above the ports of stacks
# of deploy/dev that tests name. Somebody may take it before its user does: try again then.
free_port() {
    local port
    for _ in {1..200}; do
        port=$((20000 + RANDOM % 12000))
        if ! port_taken "$port"; then
            echo "$port"
            return 0
        fi
    done
    warn "no free port found on 127.0.0.1"
    return 1
}

# port_owner PORT: who listens there, as far as that can be seen; for messages.
port_owner() {
    command -v ss >/dev/null || return 0
    ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1, process \2/p' | head -n 1
}
