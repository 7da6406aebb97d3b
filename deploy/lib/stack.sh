# shellcheck shell=bash
# The private stack of a checkout: its state folder, and starting and stopping what belongs to it.
# Sourced after output.sh, process.sh, packages.sh, services.sh, cluster.sh and secrets.sh; HERALD_ROOT names the checkout.
#
# State, all under .state/dev (ignored by git; gone after `down`), or the folder that `state` names:
#   run/NAME.pid        the process (see process.sh)
#   run/NAME.stamp      which program and which settings it was started with: another stamp means restart
#   logs/NAME.log       what it wrote
#   stack               shell assignments chosen at the first `up`: ports, passwords, kind of Kafka
#   herald.ini          settings of the servers, written at each `up`
#   settings.ini        those of `up --settings`, which override the others
#   secrets/            keys, callers file and certificates (see secrets.sh)
#   postgres/, content/ data; where Postgres' user cannot reach postgres/, its data is in a folder of /var/tmp that
#                       `stack` names, which `down` removes too

STATE=$(realpath -m "${state:-$HERALD_ROOT/.state/dev}")
# Whoever works on the stack holds it. Something that is there anyway, so that nothing is left behind: this checkout's own
# script, or the folder that the state is in.
# shellcheck disable=SC2034 # for deploy/dev
if [[ -n ${state:-} ]]; then
    LOCK=$(dirname "$STATE")
else
    LOCK=$HERALD_ROOT/deploy/dev
fi
RUN=$STATE/run
LOGS=$STATE/logs
INI=$STATE/herald.ini
SECRETS=$STATE/secrets
BUILD=$(realpath -m "${built:-$HERALD_ROOT/build/dev}")
BIN=$BUILD/bin

# In the order in which they start; `down` goes backwards, so that a publish under way can still finish.
PROGRAMS=(herald-distribution herald-job herald-content herald-event herald-gateway)
# shellcheck disable=SC2034 # for deploy/dev
MOST_REPLICAS=8

# Filled by stack_load: what the servers need; the fakes and REPLICAS of each program, the second one of which is called
# NAME-2.
SERVICES=() SERVERS=()
PORT_BASE='' KAFKA_KIND='' PG_PASSWORD='' PG_DIR='' WEBHOOK_SECRET='' SECURE='' REPLICAS=1 CLUSTER=''
INSTAGRAM_TOKEN='' KAKAO_ACCESS_KEY='' KAKAO_SECRET=''

# --- State.

stack_exists() {
    [[ -f $STATE/stack ]]
}

stack_load() {
    # shellcheck disable=SC1091 # written by stack_save
    source "$STATE/stack"
    list_servers
    stack_export
}

# For the programs that this script starts.
stack_export() {
    export HERALD_CONTENT_DIR=$STATE/content
    secrets_export
}

list_servers() {
    local program i
    SERVICES=(postgres redis kafka)
    [[ -z $CLUSTER ]] || SERVICES=("${CLUSTER_SERVICES[@]}")
    SERVERS=(herald-fakes)
    for program in "${PROGRAMS[@]}"; do
        SERVERS+=("$program")
        for ((i = 2; i <= REPLICAS; i++)); do
            SERVERS+=("$program-$i")
        done
    done
}

# program_of NAME: what the server NAME runs.
program_of() {
    local name=$1
    [[ ! $name =~ -[0-9]+$ ]] || name=${name%-*}
    echo "$name"
}

# replica_of NAME: 1, 2, …
replica_of() {
    [[ $1 =~ -([0-9]+)$ ]] && echo "${BASH_REMATCH[1]}" || echo 1
}

stack_save() {
    local name
    for name in PORT_BASE KAFKA_KIND PG_PASSWORD PG_DIR WEBHOOK_SECRET SECURE REPLICAS CLUSTER INSTAGRAM_TOKEN \
        KAKAO_ACCESS_KEY KAKAO_SECRET; do
        printf '%s=%q\n' "$name" "${!name}"
    done >"$STATE/stack.new" && mv "$STATE/stack.new" "$STATE/stack"
}

random_text() {
    head -c "$1" /dev/urandom | base64 -w 0
}

# What the fake Instagram and Kakao know a caller by.
choose_channel_secrets() {
    INSTAGRAM_TOKEN=IGAA$(random_text 24 | tr '+/' 'ab')
    KAKAO_ACCESS_KEY=$(random_text 15 | tr '+/' 'ab')
    KAKAO_SECRET=$(random_text 30 | tr '+/' 'ab')
}

# stack_prepare PORT_BASE KAFKA_KIND SECURE REPLICAS CLUSTER: loads the state or makes a new one. An empty argument: as it
# was, or the default.
stack_prepare() {
    local port_base=$1 kafka_kind=$2 secure=$3 replicas=$4 cluster=$5
    umask 077
    STACK_IS_NEW=''
    if stack_exists; then
        stack_load
        [[ -n $KAKAO_SECRET ]] || { choose_channel_secrets && stack_save; } || return 1
        if [[ -n $port_base && $port_base != "$PORT_BASE" ]]; then
            warn "this stack uses the ports from $PORT_BASE on; run 'deploy/dev down' before giving it others"
            return 1
        fi
        if [[ -n $cluster && -z $CLUSTER ]]; then
            warn "this stack is no cluster; run 'deploy/dev down' before making it one (its data goes)"
            return 1
        fi
        if [[ -n $CLUSTER && $kafka_kind == embedded ]]; then
            warn "a cluster has Apache Kafka; run 'deploy/dev down' before choosing the embedded one"
            return 1
        fi
    else
        STACK_IS_NEW=yes
        mkdir -p "$RUN" "$LOGS" "$STATE/content" || return 1
        PORT_BASE=${port_base:-7100}
        KAFKA_KIND=${kafka_kind:-embedded}
        CLUSTER=$cluster
        if [[ -n $CLUSTER ]]; then
            KAFKA_KIND=apache
            replicas=${replicas:-2}
        fi
        PG_PASSWORD=$(random_text 18 | tr '+/' 'ab')
        WEBHOOK_SECRET=whsec_$(random_text 32)
        choose_channel_secrets
        PG_DIR=''
        # Postgres may run as another user, who has to get through to its folder.
        chmod 711 "$STATE" || return 1
        [[ -n ${state:-} ]] || chmod 711 "$HERALD_ROOT/.state" || return 1
        stack_save || return 1
    fi
    if [[ -n $kafka_kind && $kafka_kind != "$KAFKA_KIND" ]]; then
        say "changing Kafka from $KAFKA_KIND to $kafka_kind: what the old one holds is dropped"
        list_servers
        servers_stop
        kafka_stop
        rm -rf "$RUN/apache"
        KAFKA_KIND=$kafka_kind
        stack_save
    fi
    if [[ -n $secure && -z $SECURE ]]; then
        SECURE=yes
        stack_save
    fi
    list_servers
    set_replicas "${replicas:-$REPLICAS}"
    stack_export
}

# set_replicas N: those beyond the Nth end.
set_replicas() {
    local i known=("${SERVERS[@]}")
    (($1 != REPLICAS)) || return 0
    REPLICAS=$1
    list_servers
    stack_save
    for ((i = ${#known[@]} - 1; i >= 0; i--)); do
        if (($(replica_of "${known[i]}") > REPLICAS)); then
            say "${known[i]}: no longer wanted, ending it"
            server_stop "${known[i]}"
        fi
    done
}

# port_of NAME: a second server of a kind has the port of the first and ten, and so on.
port_of() {
    local base=$((PORT_BASE + 10 * ($(replica_of "$1") - 1))) name=$1
    [[ $name != herald-* ]] || name=$(program_of "$name")
    case $name in
    herald-event) echo $((base + 1)) ;;
    herald-job) echo $((base + 2)) ;;
    herald-distribution) echo $((base + 3)) ;;
    herald-content) echo $((base + 4)) ;;
    herald-gateway) echo $((base)) ;;
    herald-fakes) echo $((PORT_BASE + 5)) ;;
    herald-content-rpc) echo $((base + 9)) ;; # herald-content's second port
    postgres) echo $((PORT_BASE + 6)) ;;
    redis) echo $((PORT_BASE + 7)) ;;
    kafka) echo $((PORT_BASE + 8)) ;;
    *) cluster_port_of "$1" ;;
    esac
}

# rpc_name_of NAME: under which the port that takes calls is known; herald-content has another one for pictures.
rpc_name_of() {
    echo "${1/#herald-content/herald-content-rpc}"
}

# url_of NAME: of a server that is called.
url_of() {
    echo "${SECURE:+tls+}tcp://127.0.0.1:$(port_of "$(rpc_name_of "$1")")"
}

# http_url_of NAME: of a gateway.
http_url_of() {
    echo "http://127.0.0.1:$(port_of "$1")"
}

# gateway_urls: of all gateways, with commas.
gateway_urls() {
    local name urls=''
    for name in "${SERVERS[@]}"; do
        [[ $(program_of "$name") != herald-gateway ]] || urls+=${urls:+,}$(http_url_of "$name")
    done
    echo "$urls"
}

# call_urls PROGRAM: of all servers that run it, with commas.
call_urls() {
    local name urls=''
    for name in "${SERVERS[@]}"; do
        [[ $(program_of "$name") != "$1" ]] || urls+=${urls:+,}$(url_of "$name")
    done
    echo "$urls"
}

stack_dsn() {
    if [[ -n $CLUSTER ]]; then
        cluster_dsn
    else
        postgres_dsn "$(port_of postgres)" "$PG_PASSWORD"
    fi
}

stack_redis_url() {
    if [[ -n $CLUSTER ]]; then
        cluster_redis_url
    else
        echo "redis://127.0.0.1:$(port_of redis)/0"
    fi
}

# stack_env [CALLER]: what an outside tool needs to look in, as the operator or as CALLER, NAME=VALUE a line.
stack_env() {
    cat <<TEXT
HERALD_EVENT_URL=$(url_of herald-event)
HERALD_EVENT_CALL_URL=$(call_urls herald-event)
HERALD_JOB_URL=$(url_of herald-job)
HERALD_JOB_CALL_URL=$(call_urls herald-job)
HERALD_DISTRIBUTION_URL=$(url_of herald-distribution)
HERALD_DISTRIBUTION_CALL_URL=$(call_urls herald-distribution)
HERALD_PG_DSN=$(stack_dsn)
HERALD_REDIS_URL=$(stack_redis_url)
HERALD_KAFKA_BOOTSTRAP=$(<"$RUN/kafka.bootstrap")
HERALD_CHANNELS_URL=http://127.0.0.1:$(port_of herald-fakes)
HERALD_CONTENT_DIR=$STATE/content
HERALD_CONTENT_URL=http://127.0.0.1:$(port_of herald-content)
HERALD_CONTENT_RPC_URL=$(url_of herald-content)
HERALD_CONTENT_RPC_CALL_URL=$(call_urls herald-content)
HERALD_HTTP_URL=$(http_url_of herald-gateway)
HERALD_GATEWAY_URL=$(gateway_urls)
TEXT
    secrets_env "${1:-operator}"
}

# override_settings FILE INI: appends FILE to INI, and takes out of INI what FILE sets too, as no setting may be there twice.
override_settings() {
    awk '
        /^[ \t]*\[/ { section = $1 }
        { key = $0; sub(/=.*/, "", key); gsub(/[ \t]/, "", key); setting = /^[ \t]*[a-z]/ && /=/ ? section key : "" }
        FILENAME == ARGV[1] { own[setting]; next }
        setting == "" || !(setting in own)
    ' "$1" "$2" >"$2.less" && cat "$2.less" "$1" >"$2" && rm "$2.less"
}

# The settings file of all servers. Kafka must be up.
write_ini() {
    cat >"$INI.new" <<TEXT
; Written by deploy/dev up; every setting is explained in deploy/herald.ini.example.
[event]
url = $(url_of herald-event)
call_url = $(call_urls herald-event)
[job]
url = $(url_of herald-job)
call_url = $(call_urls herald-job)
[distribution]
url = $(url_of herald-distribution)
call_url = $(call_urls herald-distribution)
[pg]
dsn = $(stack_dsn)
[redis]
url = $(stack_redis_url)
[kafka]
bootstrap = $(<"$RUN/kafka.bootstrap")
[channels]
url = http://127.0.0.1:$(port_of herald-fakes)
secret = $WEBHOOK_SECRET
[instagram]
url = http://127.0.0.1:$(port_of herald-fakes)/graph/v21.0
account = 17841400000000001
token = $INSTAGRAM_TOKEN
[naver_blog]
url = http://127.0.0.1:$(port_of herald-fakes)/naver
[kakao_channel]
url = http://127.0.0.1:$(port_of herald-fakes)/kakao
service = ncp:kkobizmsg:kr:1234567:herald
access_key = $KAKAO_ACCESS_KEY
secret = $KAKAO_SECRET
sender = @herald-shop
; The stand-in's clock stands at noon.
quiet_hours = false
[gateway]
listen = $(http_url_of herald-gateway)
url = $(gateway_urls)
[content]
url = http://127.0.0.1:$(port_of herald-content)
rpc_url = $(url_of herald-content)
rpc_call_url = $(call_urls herald-content)
TEXT
    # The reader of the file cuts long lines; the environment of stack_load says it in any case.
    if ((${#STATE} < 170)); then
        echo "dir = $STATE/content" >>"$INI.new"
    fi
    secrets_ini >>"$INI.new"
    [[ ! -f $STATE/settings.ini ]] || override_settings "$STATE/settings.ini" "$INI.new" || return 1
    mv "$INI.new" "$INI"
}

# --- Ports.

# check_ports: those of what does not run yet must be free.
check_ports() {
    local name port owner bad=0 rpc_names=()
    for name in "${SERVERS[@]}"; do
        [[ $name != herald-content* ]] || rpc_names+=("$(rpc_name_of "$name")")
    done
    for name in "${SERVICES[@]}" "${SERVERS[@]}" "${rpc_names[@]}"; do
        ! process_alive "$RUN/${name/-rpc/}.pid" || continue
        port=$(port_of "$name")
        if port_taken "$port"; then
            owner=$(port_owner "$port") || owner=''
            warn "port $port, wanted for $name, is taken by ${owner:-another program}"
            bad=1
        fi
    done
    if ((bad)); then
        warn "either end that program, or choose other ports: HERALD_DEV_PORT_BASE=7200 deploy/dev up (now $PORT_BASE)"
        # Nothing has been made yet: the next try may come with another base.
        [[ -z $STACK_IS_NEW ]] || rm -rf "$STATE"
        return 1
    fi
}

# --- Building.

# In a subshell: what is built is no secret, unlike the state folder.
build() (
    umask 022
    log=$LOGS/build.log
    if [[ ! -f $BUILD/build.ninja ]]; then
        run_logged "configuring (cmake)" "$log" cmake -S "$HERALD_ROOT" -B "$BUILD" -G Ninja \
            -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHERALD_TESTS=OFF -DHERALD_WERROR=OFF || return 1
    fi
    run_logged "build" "$log" ninja -C "$BUILD"
)

# --- Services.

postgres_up() {
    local started log=$LOGS/postgres.log
    started=$(now_ms)
    if process_alive "$RUN/postgres.pid"; then
        say "Postgres: runs already on port $(port_of postgres)"
        return 0
    fi
    postgres_init "$PG_DIR" "$PG_PASSWORD" >"$LOGS/initdb.log" 2>&1 || {
        warn "Postgres: its data folder $PG_DIR could not be made"
        show_tail "$LOGS/initdb.log"
        return 1
    }
    postgres_start "$RUN" "$PG_DIR" "$(port_of postgres)" "$log" && postgres_wait "$RUN" "$(port_of postgres)" "$log" ||
        return 1
    say "Postgres: up on port $(port_of postgres) ($(seconds_since "$started") s)"
}

# Where Postgres keeps its data: decided once, before the services start side by side.
choose_postgres_dir() {
    [[ -z $PG_DIR || ! -d $PG_DIR ]] || return 0
    PG_DIR=$(postgres_make_dir "$STATE/postgres") || return 1
    if [[ $PG_DIR != "$STATE/postgres" ]]; then
        say "Postgres: the user $(database_user) cannot reach $STATE, so the data is in $PG_DIR (removed by 'down')"
    fi
    stack_save
}

redis_up() {
    local started log=$LOGS/redis.log
    started=$(now_ms)
    if process_alive "$RUN/redis.pid"; then
        say "Redis: runs already on port $(port_of redis)"
        return 0
    fi
    redis_start "$RUN" "$(port_of redis)" "$log" && redis_wait "$RUN" "$(port_of redis)" "$log" || return 1
    say "Redis: up on port $(port_of redis) ($(seconds_since "$started") s)"
}

kafka_up() {
    local started log=$LOGS/kafka.log status=0
    started=$(now_ms)
    if process_alive "$RUN/kafka.pid"; then
        say "Kafka ($KAFKA_KIND): runs already at $(<"$RUN/kafka.bootstrap")"
        return 0
    fi
    if [[ $KAFKA_KIND == apache ]]; then
        say "Kafka (apache): starting; the first time, Maven fetches its jars"
        kafka_apache_start "$RUN" "$BIN" "$log" "$(port_of kafka)" || status=$?
        if ((status == 75)); then
            warn "Apache Kafka cannot be had here; './deploy/dev up --kafka embedded' needs neither Java nor Maven"
        fi
    else
        kafka_embedded_start "$RUN" "$BIN" "$log" "$(port_of kafka)" && kafka_embedded_wait "$RUN" "$log" || status=$?
    fi
    ((status == 0)) || return 1
    say "Kafka ($KAFKA_KIND): up at $(<"$RUN/kafka.bootstrap") ($(seconds_since "$started") s)"
    if [[ $KAFKA_KIND == embedded ]]; then
        say "Kafka (embedded): in memory only, for a first look; '--kafka apache' is the real one"
    fi
}

kafka_stop() {
    if [[ $KAFKA_KIND == apache ]]; then
        kafka_apache_stop "$RUN"
    else
        kafka_embedded_stop "$RUN"
    fi
}

# Side by side, as none needs another.
services_up() {
    local pids=() pid bad=0 function functions=(postgres_up redis_up kafka_up)
    choose_postgres_dir || return 1
    [[ -z $CLUSTER ]] || functions=(cluster_postgres_up cluster_redis_up cluster_kafka_up)
    for function in "${functions[@]}"; do
        "$function" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || bad=1
    done
    return "$bad"
}

services_stop() {
    kafka_stop
    if [[ -n $CLUSTER ]]; then
        cluster_stop
    else
        redis_stop "$RUN"
        postgres_stop "$RUN"
    fi
}

migrate() {
    local started
    started=$(now_ms)
    "$BIN/heraldctl" --config "$INI" migrate >"$LOGS/migrate.log" 2>&1 || {
        warn "the database could not be migrated"
        show_tail "$LOGS/migrate.log"
        return 1
    }
    say "database: migrated ($(seconds_since "$started") s)"
}

# --- Servers.

# server_stamp NAME: changes with the program and with the settings.
server_stamp() {
    stat -c '%Y %s' "$BIN/$(program_of "$1")"
    cksum <"$INI"
}

# server_start NAME: the settings are those of all; only the address of its own differs, and the name of its sessions in
# Postgres.
server_start() {
    local name=$1 log=$LOGS/$1.log program kind url=()
    program=$(program_of "$name")
    server_stamp "$name" >"$RUN/$name.stamp"
    case $program in
    herald-content)
        url=("HERALD_CONTENT_URL=http://127.0.0.1:$(port_of "$name")" "HERALD_CONTENT_RPC_URL=$(url_of "$name")")
        ;;
    herald-gateway) url=("HERALD_GATEWAY_LISTEN=$(http_url_of "$name")") ;;
    herald-fakes) ;;
    *)
        kind=${program#herald-}
        url=("HERALD_${kind^^}_URL=$(url_of "$name")")
        ;;
    esac
    case $program in
    herald-fakes)
        # Its clock stands at noon, so that a demonstration in the evening meets no quiet hours at the channel. Systems that
        # are compared with Herald post to all six channels as webhooks.
        HERALD_FAKES_SECRET=$WEBHOOK_SECRET HERALD_FAKES_INSTAGRAM_TOKEN=$INSTAGRAM_TOKEN \
            HERALD_FAKES_KAKAO_ACCESS_KEY=$KAKAO_ACCESS_KEY HERALD_FAKES_KAKAO_SECRET=$KAKAO_SECRET \
            process_start "$RUN/$name.pid" "$log" "$BIN/$name" --listen "127.0.0.1:$(port_of "$name")" \
            --all-webhooks --kst 12:00 --instagram-quota 100000
        ;;
    herald-event | herald-content) # they call others
        process_start "$RUN/$name.pid" "$log" env "${url[@]}" "PGAPPNAME=$name" "HERALD_AUTH_KEY_ID=$program-1" \
            "HERALD_AUTH_KEY_FILE=$SECRETS/$program.key" "$BIN/$program" --config "$INI"
        ;;
    *) process_start "$RUN/$name.pid" "$log" env "${url[@]}" "PGAPPNAME=$name" "$BIN/$program" --config "$INI" ;;
    esac
}

server_wait() {
    local name=$1 port started
    port=$(port_of "$name")
    process_wait_ready "$name" "$RUN/$name.pid" "$LOGS/$name.log" 30 port_taken "$port" || return 1
    say "$name: up on port $port (process $(process_pid "$RUN/$name.pid"))"
}

server_stop() {
    process_stop "$1" "$RUN/$1.pid" TERM 20
    rm -f "$RUN/$1.stamp"
}

servers_up() {
    local name fresh=() bad=0
    for name in "${SERVERS[@]}"; do
        if process_alive "$RUN/$name.pid"; then
            if [[ $(server_stamp "$name") == "$(<"$RUN/$name.stamp")" ]]; then
                say "$name: runs already on port $(port_of "$name")"
                continue
            fi
            say "$name: the program or its settings changed, restarting"
            server_stop "$name"
        elif [[ -f $RUN/$name.stamp ]]; then
            say "$name: had ended ('deploy/dev logs $name' shows why), starting it again"
        fi
        server_start "$name"
        fresh+=("$name")
    done
    for name in "${fresh[@]}"; do
        server_wait "$name" || bad=1
    done
    return "$bad"
}

# Backwards, one after the other: each may still need those that started before it.
servers_stop() {
    local i
    for ((i = ${#SERVERS[@]} - 1; i >= 0; i--)); do
        server_stop "${SERVERS[i]}"
    done
}

# stack_stop: all processes; the files stay.
stack_stop() {
    supervisor_stop
    servers_stop
    services_stop
}

# stack_remove: all files of a stack that was stopped.
stack_remove() {
    if [[ -n $PG_DIR && $PG_DIR == /var/tmp/herald-postgres.* ]]; then
        rm -rf "$PG_DIR"
    fi
    rm -rf "$STATE"
    rmdir "$HERALD_ROOT/.state" 2>/dev/null || true
}
