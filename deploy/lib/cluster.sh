# shellcheck shell=bash
# The services of `deploy/dev up --cluster`: Postgres with a standby (Patroni, etcd), Redis with a replica (Sentinel), three
# brokers of Apache Kafka. Sourced after services.sh; uses the variables and functions of stack.sh.
#
# No proxy stands before them. libpq finds the primary among several hosts, Herald asks the sentinels for the master, and
# Kafka's clients know the brokers. All listens on 127.0.0.1 only.

# shellcheck disable=SC2034 # for stack.sh
CLUSTER_SERVICES=(etcd postgres-1 postgres-2 redis-1 redis-2 sentinel-1 sentinel-2 sentinel-3 kafka-1 kafka-2 kafka-3)
CLUSTER_NAME=herald

# How fast a standby takes over, in seconds. Patroni takes no shorter TTL; a primary that it sees die is replaced at once.
PATRONI_TTL_S=20
PATRONI_LOOP_S=1
PATRONI_RETRY_S=3
# A standby that does not follow a primary for so long is copied anew. Longer than a standby stands still in any test, and than
# a rewind takes.
STANDBY_AWAY_MOST_S=90
STANDBY_LOOK_S=5
# Patroni allows 3 s between the start of a postmaster and what its file tells. Both are read in whole seconds.
POSTMASTER_APART_S=2
SENTINEL_QUORUM=2
# When the sentinels see a death at once, each votes for itself, and the next try is far off. So each sees it later than the
# one before it.
SENTINEL_DOWN_MS=1000
SENTINEL_LATER_MS=500
SENTINEL_FAIL_OVER_MS=10000 # a fail-over that came to nothing is tried again after twice that time
# A dead server of Redis waits so long for the sentinels: two tries. They may never name another one: after a standstill they
# decide nothing for 30 s (TILT), and then find the replica too long without its master.
REDIS_FAIL_OVER_MOST_S=$((3 * SENTINEL_FAIL_OVER_MS / 1000 + 5))

cluster_port_of() {
    case $1 in
    etcd) echo $((PORT_BASE + 80)) ;;
    etcd-peer) echo $((PORT_BASE + 81)) ;;
    postgres-[12]) echo $((PORT_BASE + 81 + ${1#*-})) ;;
    patroni-[12]) echo $((PORT_BASE + 83 + ${1#*-})) ;;
    redis-[12]) echo $((PORT_BASE + 85 + ${1#*-})) ;;
    sentinel-[123]) echo $((PORT_BASE + 87 + ${1#*-})) ;;
    kafka-[123]) echo $((PORT_BASE + 90 + ${1#*-})) ;;
    esac
}

# cluster_dsn [DATABASE]
cluster_dsn() {
    echo "postgresql://herald:$PG_PASSWORD@127.0.0.1:$(port_of postgres-1),127.0.0.1:$(port_of postgres-2)/${1:-herald}?target_session_attrs=read-write&connect_timeout=2"
}

cluster_redis_url() {
    local hosts='' i
    for i in 1 2 3; do
        hosts+=${hosts:+,}127.0.0.1:$(port_of "sentinel-$i")
    done
    echo "redis+sentinel://$hosts/$CLUSTER_NAME/0"
}

# --- Postgres.

etcd_start() {
    local url
    url=http://127.0.0.1:$(port_of etcd)
    process_start "$RUN/etcd.pid" "$LOGS/etcd.log" etcd --name "$CLUSTER_NAME" --data-dir "$STATE/etcd" \
        --listen-client-urls "$url" --advertise-client-urls "$url" --enable-v2=true \
        --listen-peer-urls "http://127.0.0.1:$(port_of etcd-peer)" \
        --initial-advertise-peer-urls "http://127.0.0.1:$(port_of etcd-peer)" \
        --initial-cluster "$CLUSTER_NAME=http://127.0.0.1:$(port_of etcd-peer)"
}

# patroni_settings NODE: its file.
#
# Patroni speaks etcd's second API. By the third one, Patroni 3.0.2 of Debian 12 renews the key of the leader by a write
# without a condition (Etcd3._update_leader). A primary that stood still for longer than its lease would take the key from
# the one that was promoted meanwhile, whose commits would be lost. By the second API each renewal compares first.
patroni_settings() {
    local node=$1 bin
    bin=$(postgres_bin) || return 1
    cat <<TEXT
scope: $CLUSTER_NAME
name: postgres-$node
etcd:
  host: 127.0.0.1:$(port_of etcd)
restapi:
  listen: 127.0.0.1:$(port_of "patroni-$node")
  connect_address: 127.0.0.1:$(port_of "patroni-$node")
bootstrap:
  dcs:
    ttl: $PATRONI_TTL_S
    loop_wait: $PATRONI_LOOP_S
    retry_timeout: $PATRONI_RETRY_S
    primary_start_timeout: 0
    master_start_timeout: 0
    # A commit is acknowledged once the standby has it too, so that none is lost when the standby takes over.
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters:
        max_connections: 200
        shared_buffers: 64MB
  initdb:
  - encoding: UTF8
  - locale: C.UTF-8
  - no-sync
postgresql:
  listen: 127.0.0.1:$(port_of "postgres-$node")
  connect_address: 127.0.0.1:$(port_of "postgres-$node")
  data_dir: $PG_DIR/$node
  bin_dir: $bin
  # What cannot be rewound is copied anew, and at once: a spread checkpoint may take minutes.
  remove_data_directory_on_rewind_failure: true
  remove_data_directory_on_diverged_timelines: true
  basebackup:
  - checkpoint: fast
  pgpass: $PG_DIR/pgpass-$node
  authentication:
    superuser: {username: herald, password: "$PG_PASSWORD"}
    replication: {username: replicator, password: "$PG_PASSWORD"}
  parameters:
    unix_socket_directories: ''
    log_line_prefix: '%m [%p] %a '
  pg_hba:
  - host replication replicator 127.0.0.1/32 scram-sha-256
  - host all all 127.0.0.1/32 scram-sha-256
TEXT
}

# patroni_start NODE
patroni_start() {
    local node=$1 file=$PG_DIR/patroni-$1.yml as=() user
    patroni_settings "$node" | as_database_user tee "$file" >/dev/null || return 1
    if ((EUID == 0)); then
        user=$(database_user)
        as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups)
    fi
    process_start "$RUN/postgres-$node.pid" "$LOGS/postgres-$node.log" "${as[@]}" env --chdir=/ HOME=/ \
        /usr/bin/patroni "$file"
}

# patroni_says NODE ROLE: whether it has that role.
patroni_says() {
    curl -sf --max-time 2 -o /dev/null "http://127.0.0.1:$(port_of "patroni-$1")/$2"
}

a_primary_serves() {
    patroni_says 1 primary || patroni_says 2 primary
}

a_standby_follows() {
    patroni_says 1 sync || patroni_says 2 sync
}

make_database() {
    local dsn
    dsn=$(cluster_dsn postgres)
    [[ $(psql "$dsn" -Atc "SELECT 1 FROM pg_database WHERE datname = 'herald'") == 1 ]] ||
        psql "$dsn" -qc 'CREATE DATABASE herald'
}

cluster_postgres_up() {
    local node started log=$LOGS/patroni.log
    started=$(now_ms)
    if ! process_alive "$RUN/etcd.pid"; then
        etcd_start
        process_wait_ready etcd "$RUN/etcd.pid" "$LOGS/etcd.log" 30 port_taken "$(port_of etcd)" || return 1
    fi
    for node in 1 2; do
        process_alive "$RUN/postgres-$node.pid" || patroni_start "$node" || return 1
    done
    process_wait_ready "Postgres (primary)" "$RUN/postgres-1.pid" "$LOGS/postgres-1.log" 90 a_primary_serves &&
        process_wait_ready "Postgres (standby)" "$RUN/postgres-2.pid" "$LOGS/postgres-2.log" 90 a_standby_follows &&
        make_database >"$log" 2>&1 || {
        show_tail "$log"
        return 1
    }
    say "Postgres: a primary and a synchronous standby, ports $(port_of postgres-1) and $(port_of postgres-2)" \
        "($(seconds_since "$started") s)"
}

# orphan_pid NODE: the postmaster, if it lives. A Postgres whose Patroni was killed runs on by itself.
orphan_pid() {
    local pid
    pid=$(as_database_user head -n 1 "$PG_DIR/$1/postmaster.pid" 2>/dev/null) || return 1
    process_start_time "$pid" >/dev/null && echo "$pid"
}

orphan_stop() {
    local pid
    pid=$(orphan_pid "$1") || return 0
    process_record "$RUN/orphan.pid" "$pid" && process_stop "Postgres" "$RUN/orphan.pid" INT 30
}

# orphan_is_strange NODE: Patroni does not take the postmaster for its own when it began at another time than its file tells, as
# it seems when the clock of the machine was set meanwhile. It could then neither lead it nor start another one.
orphan_is_strange() {
    local pid ticks told boot apart
    pid=$(orphan_pid "$1") && ticks=$(process_start_time "$pid") || return 1
    told=$(as_database_user sed -n 3p "$PG_DIR/$1/postmaster.pid" 2>/dev/null) && [[ $told =~ ^[0-9]+$ ]] || return 1
    boot=$(sed -n 's/^btime //p' /proc/stat)
    apart=$((boot + ticks / $(getconf CLK_TCK) - told))
    ((apart < -POSTMASTER_APART_S || apart > POSTMASTER_APART_S))
}

# --- Redis.

# sentinel_start N: its file is its memory, so that only the first start writes it.
sentinel_start() {
    local dir=$STATE/sentinel-$1
    if [[ ! -s $dir/sentinel.conf ]]; then
        mkdir -p "$dir" && cat >"$dir/sentinel.conf" <<TEXT || return 1
bind 127.0.0.1
port $(port_of "sentinel-$1")
dir $dir
sentinel monitor $CLUSTER_NAME 127.0.0.1 $(port_of redis-1) $SENTINEL_QUORUM
sentinel down-after-milliseconds $CLUSTER_NAME $((SENTINEL_DOWN_MS + SENTINEL_LATER_MS * ($1 - 1)))
sentinel failover-timeout $CLUSTER_NAME $SENTINEL_FAIL_OVER_MS
TEXT
    fi
    process_start "$RUN/sentinel-$1.pid" "$LOGS/sentinel-$1.log" redis-sentinel "$dir/sentinel.conf"
}

# sentinels_say: `PORT FLAGS` of the master, a line for each sentinel that answers.
sentinels_say() {
    local i
    for i in 1 2 3; do
        timeout 2 redis-cli -p "$(port_of "sentinel-$i")" --raw sentinel master "$CLUSTER_NAME" 2>/dev/null |
            awk 'NR % 2 { key = $0; next } { says[key] = $0 } END { if (says["port"] != "") print says["port"], says["flags"] }'
    done
}

# named_master: the port of the one that a quorum of sentinels, and every sentinel that answers, calls the master; else fails.
# Reads what sentinels_say.
named_master() {
    awk -v quorum="$SENTINEL_QUORUM" '{ port = $1; if (!named[port]++) different++ }
        END { if (different != 1 || named[port] < quorum) exit 1; print port }'
}

# redis_other NAME: the other one of two.
redis_other() {
    echo "redis-$((3 - ${1#*-}))"
}

# redis_waits NAME DEAD_FOR_S: whether it is too early to start it. A sentinel that does not answer may be about to decide, so
# that its silence is no leave.
#
# Started before the sentinels have seen it die, a master would stay the master, and its replica would copy what it has.
# When both are dead, the last master goes first, and its replica waits until no sentinel wants to promote it: for a moment
# after each copy that it takes, the file of a replica holds what it had before.
redis_waits() {
    local own other says named
    own=$(port_of "$1") other=$(redis_other "$1") says=$(sentinels_say)
    named=$(named_master <<<"$says") || named=''
    if (($2 >= REDIS_FAIL_OVER_MOST_S)); then
        grep -q failover_in_progress <<<"$says"
    elif process_alive "$RUN/$other.pid"; then
        [[ $named != "$(port_of "$other")" ]] || grep -qvx "$named master" <<<"$says"
    else
        [[ $named != "$own" ]]
    fi
}

# redis_says_master NAME
redis_says_master() {
    [[ $(timeout 2 redis-cli -p "$(port_of "$1")" --raw role 2>/dev/null | head -n 1) == master ]]
}

# Sentinel keeps in a server's file whose replica it is. Who was the master comes back as the replica of the next one.
#
# Each server keeps what it acknowledged on disk, so that none comes back empty. What it has written outlives the process,
# whenever it is synced; with `everysec`, a write that meets a slow sync waits in memory after the reply. A master without its
# replica goes on taking writes: Herald keeps copies in Redis only (docs/failures.md), and would rather have a copy than two.
cluster_redis_start() {
    local name=redis-$1 dir=$STATE/redis-$1 own other master replica_of=()
    own=$(port_of "$name") other=$(redis_other "$name")
    if [[ ! -s $dir/redis.conf ]]; then
        mkdir -p "$dir" && cat >"$dir/redis.conf" <<TEXT || return 1
bind 127.0.0.1
port $own
dir $dir
save ""
appendonly yes
appendfsync no
repl-diskless-sync-delay 0
$([[ $1 == 1 ]] || echo "replicaof 127.0.0.1 $(port_of redis-1)")
TEXT
    fi
    if redis_says_master "$other"; then
        master=$(port_of "$other")
    else
        master=$(sentinels_say | named_master) || master=''
    fi
    if [[ $master == "$own" ]]; then
        replica_of=(--replicaof no one)
    elif [[ -n $master ]]; then
        replica_of=(--replicaof 127.0.0.1 "$master")
    fi
    process_start "$RUN/$name.pid" "$LOGS/$name.log" redis-server "$dir/redis.conf" "${replica_of[@]}"
}

# redis_servers_up: where no sentinel runs, each one is what it was.
redis_servers_up() {
    local name waits
    local -i began=SECONDS
    while :; do
        waits=''
        for name in redis-1 redis-2; do
            process_alive "$RUN/$name.pid" && continue
            if a_sentinel_runs && redis_waits "$name" $((SECONDS - began)); then
                waits=yes
                continue
            fi
            cluster_redis_start "${name#*-}"
            process_wait_ready "$name" "$RUN/$name.pid" "$LOGS/$name.log" 20 redis_answers "$(port_of "$name")" || return 1
        done
        [[ -n $waits ]] || return 0
        sleep 0.2
    done
}

a_sentinel_runs() {
    process_alive "$RUN/sentinel-1.pid" || process_alive "$RUN/sentinel-2.pid" || process_alive "$RUN/sentinel-3.pid"
}

cluster_redis_up() {
    local name started
    started=$(now_ms)
    redis_servers_up || return 1
    for name in sentinel-1 sentinel-2 sentinel-3; do
        process_alive "$RUN/$name.pid" && continue
        sentinel_start "${name#*-}" || return 1
        process_wait_ready "$name" "$RUN/$name.pid" "$LOGS/$name.log" 20 redis_answers "$(port_of "$name")" || return 1
    done
    say "Redis: a master, a replica and three sentinels ($(seconds_since "$started") s)"
}

# --- Kafka.

cluster_kafka_up() {
    local started status=0
    started=$(now_ms)
    say "Kafka: starting three brokers; the first time, Maven fetches the jars"
    kafka_apache_start "$RUN" "$BIN" "$LOGS/kafka.log" "$(port_of kafka-1)" "$(port_of kafka-2)" "$(port_of kafka-3)" ||
        status=$?
    ((status != 75)) || warn "Apache Kafka cannot be had here, and a cluster needs it"
    ((status == 0)) || return 1
    say "Kafka: up at $(<"$RUN/kafka.bootstrap") ($(seconds_since "$started") s)"
}

# --- What died.

# cluster_waits_for_fail_over NAME DEAD_FOR_S: whether others decide first what becomes of it.
#
# Only Redis needs it. Patroni, started at once, finds in etcd what it was: a primary whose Postgres died is given up, and
# the standby takes over; what another one has led meanwhile is rewound. A broker asks the controllers. Both have on disk
# what they acknowledged. Sentinels and etcd are those who decide.
cluster_waits_for_fail_over() {
    case $1 in
    redis-*) redis_waits "$1" "$2" ;;
    *) return 1 ;;
    esac
}

# cluster_mend_standby NOW: has a standby copied anew that has not followed for long. Patroni tries to rewind or to start it, and
# does not give up where a crash has left files that no try can mend. The primary has all that was acknowledged meanwhile.
#
# standby_seen_s: when it last followed, or when this was last mended; standby_looked_s: the last look.
cluster_mend_standby() {
    local now=$1 node
    ((now - ${standby_looked_s:-0} >= STANDBY_LOOK_S)) || return 0
    standby_looked_s=$now
    if [[ -z ${standby_seen_s:-} ]] || a_standby_follows || ! a_primary_serves; then
        standby_seen_s=$now
    fi
    ((now - standby_seen_s >= STANDBY_AWAY_MOST_S)) || return 0
    standby_seen_s=$now
    node=1
    ! patroni_says 1 primary || node=2
    supervise_log "postgres-$node has not followed the primary for $STANDBY_AWAY_MOST_S s: copying it anew"
    curl -sS --max-time 10 -X POST -H 'Content-Type: application/json' -d '{"force": true}' \
        "http://127.0.0.1:$(port_of "patroni-$node")/reinitialize" 2>&1
    echo
}

# cluster_revive NAME: starts that one and waits for nobody that starts, as more may have died.
cluster_revive() {
    case $1 in
    etcd) etcd_start ;;
    postgres-*)
        if orphan_is_strange "${1#*-}"; then
            supervise_log "$1: the clock was set since its Postgres began, so that Patroni would not know it: stopping it first"
            orphan_stop "${1#*-}"
        fi
        patroni_start "${1#*-}"
        ;;
    redis-*) cluster_redis_start "${1#*-}" ;;
    sentinel-*) sentinel_start "${1#*-}" ;;
    kafka-*) kafka_apache_revive "$RUN" "$LOGS/kafka.log" "${1#*-}" ;;
    esac
}

# Kafka is stopped by kafka_stop.
cluster_stop() {
    local name
    for name in sentinel-3 sentinel-2 sentinel-1 redis-2 redis-1; do
        process_stop "$name" "$RUN/$name.pid" TERM 10
    done
    # The standby first: it must not take over now.
    for name in postgres-2 postgres-1; do
        process_stop "$name" "$RUN/$name.pid" TERM 60
        orphan_stop "${name#*-}"
    done
    process_stop etcd "$RUN/etcd.pid" TERM 10
}
