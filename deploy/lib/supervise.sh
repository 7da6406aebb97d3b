# shellcheck shell=bash
# The supervisor of a private stack: starts again what died, as systemd or an orchestrator does elsewhere. Sourced after
# stack.sh.
#
# In a cluster the fail-over comes first: cluster_waits_for_fail_over() says what is not started again yet. A standby that runs
# and does not follow is mended by cluster_mend_standby().
#
# It acts only while it has the lock of the stack, so that it never works against `up`, `stop` or `down`. Its log is
# logs/supervisor.log.

SUPERVISE_POLL_S=0.5
SUPERVISE_MOST_WAIT_S=30 # before the next start of what dies again and again
SUPERVISE_STEADY_S=20    # what lived for so long is started without a wait

supervisor_start() {
    process_alive "$RUN/supervisor.pid" ||
        process_start "$RUN/supervisor.pid" "$LOGS/supervisor.log" env "HERALD_DEV_STATE=${state:-}" \
            "HERALD_DEV_BUILD=${built:-}" "$HERALD_ROOT/deploy/dev" supervise
}

supervisor_stop() {
    process_stop "the supervisor" "$RUN/supervisor.pid" TERM 60
}

# supervise_log TEXT…
supervise_log() {
    printf '%s %s\n' "$(date '+%F %T')" "$*"
}

# revive NAME: starts it and, for a service of which there is one, waits for it. All come back at their addresses.
revive() {
    case $1 in
    postgres) postgres_up ;;
    redis) redis_up ;;
    kafka) kafka_up ;;
    herald-*) server_start "$1" ;;
    *) cluster_revive "$1" ;;
    esac
}

# note_end NAME: logs how it ended, as far as that is known, which is of what this process has started.
note_end() {
    local pid='' status=127 how=''
    read -r pid _ <"$RUN/$1.pid" || true
    if [[ -n $pid ]]; then
        status=0
        wait "$pid" 2>/dev/null || status=$?
    fi
    ((status == 127)) || how=" (process $pid, exit status $status)"
    supervise_log "$1 has ended$how; logs/$1.log shows why"
}

# supervise_one NAME NOW: into wait_s, started_s and dead_s, by name: seconds before the next start, when it was last
# started, and when it was found dead.
supervise_one() {
    local name=$1 now=$2 since
    if process_alive "$RUN/$name.pid"; then
        unset "dead_s[$name]"
        return 0
    fi
    if [[ -z ${dead_s[$name]:-} ]]; then
        dead_s[$name]=$now
        note_end "$name"
    fi
    since=$((now - ${started_s[$name]:-0}))
    ((since >= ${wait_s[$name]:-0})) || return 0
    ! cluster_waits_for_fail_over "$name" $((now - dead_s[$name])) || return 0
    if ((since >= SUPERVISE_STEADY_S)); then
        wait_s[$name]=0
    fi
    supervise_log "$name: starting it again"
    started_s[$name]=$now
    wait_s[$name]=$((${wait_s[$name]:-0} == 0 ? 1 : wait_s[$name] * 2))
    ((wait_s[$name] <= SUPERVISE_MOST_WAIT_S)) || wait_s[$name]=$SUPERVISE_MOST_WAIT_S
    if revive "$name"; then
        unset "dead_s[$name]" # it may die again before the next look
        return 0
    fi
    supervise_log "$name could not be started; the next try follows in ${wait_s[$name]} s"
}

# supervise: until the stack is gone or a signal comes.
supervise() {
    local name
    declare -A wait_s=() started_s=() dead_s=()
    trap 'exit 0' INT TERM HUP
    supervise_log "watching"
    while stack_exists; do
        exec 9<"$LOCK"
        if flock -n 9 && stack_exists; then
            stack_load
            for name in "${SERVICES[@]}" "${SERVERS[@]}"; do
                supervise_one "$name" "$EPOCHSECONDS"
            done
            [[ -z $CLUSTER ]] || cluster_mend_standby "$EPOCHSECONDS"
        fi
        exec 9<&-
        sleep "$SUPERVISE_POLL_S"
    done
}
