# shellcheck shell=bash
# Private Postgres, Redis and Kafka in a folder of their own, for deploy/dev and tests/support/with-services.
# Sourced after output.sh and process.sh; HERALD_ROOT names the checkout.
#
# Each service: NAME_start … starts the process and returns; NAME_wait … waits until it serves; NAME_stop … ends it.
# All of them listen on 127.0.0.1 only.

HERALD_TOPICS=event-topic,distribution-topic,image-job-topic,image-job-topic.dlq

# --- Postgres. It refuses to run as root, so root runs it as the user postgres (or nobody).

postgres_bin() {
    local dir
    dir=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    if [[ ! -x $dir/postgres ]]; then
        dir=$(dirname "$(command -v postgres)" 2>/dev/null) || {
            warn "Postgres is not installed (apt-get install postgresql)"
            return 1
        }
    fi
    echo "$dir"
}

database_user() {
    if id -u postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

# as_database_user COMMAND…: as somebody who is not root.
as_database_user() {
    if ((EUID != 0)); then
        "$@"
        return
    fi
    local user
    user=$(database_user)
    # From / because the current folder may be closed to that user.
    (cd / && setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups env HOME=/ "$@")
}

# postgres_make_dir PREFERRED: makes and prints an empty folder for the data that its user can reach: PREFERRED, or,
# when a folder above it is closed to that user (a checkout in /root, say), a new one under /var/tmp.
postgres_make_dir() {
    local dir=$1
    mkdir -p "$dir" && postgres_own_dir "$dir" || return 1
    if ! as_database_user test -w "$dir"; then
        rmdir "$dir"
        dir=$(mktemp -d /var/tmp/herald-postgres.XXXXXX) && postgres_own_dir "$dir" || return 1
    fi
    echo "$dir"
}

postgres_own_dir() {
    chmod 700 "$1" || return 1
    if ((EUID == 0)); then
        chown "$(database_user):" "$1"
    fi
}

# postgres_init DIR PASSWORD [--fast]: makes a cluster with the role and the database herald; --fast gives up durability
# for speed (tests). Does nothing when it is there already.
postgres_init() {
    local dir=$1 password=$2 fast=${3:-} bin
    bin=$(postgres_bin) || return 1
    if as_database_user test -f "$dir/herald.ready"; then
        return 0
    fi
    find "$dir" -mindepth 1 -delete || return 1
    as_database_user "$bin/initdb" -D "$dir" -U herald --auth-host=scram-sha-256 --auth-local=peer --encoding=UTF8 \
        --locale=C.UTF-8 --no-sync --no-instructions || return 1
    as_database_user tee -a "$dir/postgresql.conf" >/dev/null <<TEXT || return 1
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 64MB
log_line_prefix = '%m [%p] %a '
TEXT
    if [[ $fast == --fast ]]; then
        as_database_user tee -a "$dir/postgresql.conf" >/dev/null <<TEXT || return 1
fsync = off
full_page_writes = off
TEXT
    fi
    # The password goes by standard input: never in a command line, which every user can read.
    as_database_user "$bin/postgres" --single -D "$dir" postgres <<TEXT || return 1
ALTER ROLE herald PASSWORD '$password'
CREATE DATABASE herald
TEXT
    as_database_user touch "$dir/herald.ready"
}

# postgres_forget_dead DATA_DIR: after a kill -9, Postgres refuses to start while the process that its lock file names
# exists, even as a zombie. When it is dead and its children, which end by themselves, are gone, the file goes too.
postgres_forget_dead() {
    local data=$1 pid cwd busy deadline
    pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 0
    ! process_start_time "$pid" >/dev/null || return 0
    deadline=$(($(now_ms) + 5000))
    while (($(now_ms) < deadline)); do
        busy=''
        for cwd in /proc/[0-9]*/cwd; do
            [[ $(readlink "$cwd" 2>/dev/null) != "$data" ]] || busy=yes
        done
        if [[ -z $busy ]]; then
            rm -f "$data/postmaster.pid"
            return 0
        fi
        sleep 0.1
    done
}

# postgres_start RUN_DIR DATA_DIR PORT LOG
postgres_start() {
    local run=$1 data=$2 port=$3 log=$4 bin user
    bin=$(postgres_bin) || return 1
    postgres_forget_dead "$data"
    if ((EUID == 0)); then
        user=$(database_user)
        process_start "$run/postgres.pid" "$log" setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups \
            env --chdir=/ HOME=/ "$bin/postgres" -D "$data" -p "$port"
    else
        process_start "$run/postgres.pid" "$log" "$bin/postgres" -D "$data" -p "$port"
    fi
}

# postgres_wait RUN_DIR PORT LOG
postgres_wait() {
    local bin
    bin=$(postgres_bin) || return 1
    process_wait_ready Postgres "$1/postgres.pid" "$3" 60 "$bin/pg_isready" -q -h 127.0.0.1 -p "$2" -U herald -d herald
}

# SIGINT is Postgres' fast shutdown: open connections do not hold it up.
postgres_stop() {
    process_stop Postgres "$1/postgres.pid" INT 30
}

postgres_dsn() {
    echo "postgresql://herald:$2@127.0.0.1:$1/herald"
}

# --- Redis: nothing on disk, what it holds can be made again.

# redis_start RUN_DIR PORT LOG
redis_start() {
    local run=$1 port=$2 log=$3
    command -v redis-server >/dev/null || {
        warn "Redis is not installed (apt-get install redis-server)"
        return 1
    }
    process_start "$run/redis.pid" "$log" redis-server --bind 127.0.0.1 --port "$port" --dir "$run" --save '' \
        --appendonly no --daemonize no
}

redis_answers() {
    [[ $(redis-cli -h 127.0.0.1 -p "$1" ping) == PONG ]]
}

# redis_wait RUN_DIR PORT LOG
redis_wait() {
    process_wait_ready Redis "$1/redis.pid" "$3" 20 redis_answers "$2"
}

redis_stop() {
    process_stop Redis "$1/redis.pid" TERM 10
}

# --- Kafka, embedded: herald-kafka, which writes its address to RUN_DIR/kafka.bootstrap.

# kafka_embedded_start RUN_DIR BIN_DIR LOG [PORT]: without a port it chooses one.
kafka_embedded_start() {
    local run=$1 bin=$2 log=$3 port=${4:-}
    [[ -x $bin/herald-kafka ]] || {
        warn "$bin/herald-kafka has not been built"
        return 1
    }
    rm -f "$run/kafka.bootstrap"
    process_start "$run/kafka.pid" "$log" "$bin/herald-kafka" --topics "$HERALD_TOPICS" --partitions 4 \
        ${port:+--port "$port"} --ready-file "$run/kafka.bootstrap"
}

# kafka_embedded_wait RUN_DIR LOG
kafka_embedded_wait() {
    process_wait_ready "the embedded Kafka" "$1/kafka.pid" "$2" 20 test -s "$1/kafka.bootstrap"
}

kafka_embedded_stop() {
    process_stop "the embedded Kafka" "$1/kafka.pid" TERM 10
    rm -f "$1/kafka.bootstrap"
}

# --- Kafka, Apache: deploy/kafka/apache does the work; its files are in RUN_DIR/apache.

# kafka_apache_start RUN_DIR BIN_DIR LOG PORT…: a broker for each port. Returns when they serve; 75: Java or the jars cannot
# be had here. The pid file of one broker is kafka.pid; those of several are kafka-1.pid, …
kafka_apache_start() {
    local run=$1 bin=$2 log=$3 status=0 dir name
    shift 3
    (
        close_inherited
        export HERALD_KAFKA_TOPICS=$HERALD_TOPICS HERALD_KAFKA_PARTITIONS=4 HERALD_KAFKA_TOOL=$bin/herald-kafka
        exec setsid --wait "$HERALD_ROOT/deploy/kafka/apache" start "$run/apache" "$@"
    ) </dev/null >>"$log" 2>&1 || status=$?
    if ((status != 0)); then
        show_tail "$log"
        return "$status"
    fi
    for dir in "$run/apache"/[0-9]*; do
        name=kafka-${dir##*/}
        (($# > 1)) || name=kafka
        process_record "$run/$name.pid" "$(<"$dir/kafka.pid")" || return 1
    done
    cp "$run/apache/bootstrap" "$run/kafka.bootstrap"
}

# kafka_apache_revive RUN_DIR LOG N: the Nth broker of several, which has ended. Does not wait for it.
kafka_apache_revive() {
    local run=$1 log=$2 id=$3
    (
        close_inherited
        exec setsid --wait "$HERALD_ROOT/deploy/kafka/apache" revive "$run/apache" "$id"
    ) </dev/null >>"$log" 2>&1 && process_record "$run/kafka-$id.pid" "$(<"$run/apache/$id/kafka.pid")"
}

kafka_apache_stop() {
    if [[ -d $1/apache ]]; then
        "$HERALD_ROOT/deploy/kafka/apache" stop "$1/apache"
    fi
    rm -f "$1"/kafka*.pid "$1/kafka.bootstrap"
}
