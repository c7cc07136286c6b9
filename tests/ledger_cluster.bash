# What the scripts that run ledgers as processes share: to be sourced. They make $work, then set $engine and call init_cluster.
. "$(dirname "${BASH_SOURCE[0]}")/tap.bash"
declare -A pids=()
loads=()

init_cluster() { # how many nodes, further options: the files of $engine's cluster, in $dir
    local n_nodes=$1
    shift
    dir=$work/$engine
    airdeed node --init-cluster "$n_nodes" --engine "$engine" --dir "$dir" --base-port 0 "$@" >/dev/null || exit 3
}

appoint_authority() { # client's key: who may give seats and take them
    sed -i "s/^members:/admission: {authority: $1}\nmembers:/" "$dir/cluster.yaml"
}

serve_metrics() { # node number: on $port, which is free and none of those that the nodes will take
    port=
    while [ -z "$port" ] || grep -q ":$port\$" "$dir/cluster.yaml"; do
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    done
    echo "metrics: 127.0.0.1:$port" >>"$dir/n$1.yaml"
}

reconfigure() { # add or remove, key: client-3 has to be the authority
    airdeed ledger submit --node "$dir/cluster.yaml" --key "$dir/client-3.key" --timeout ${patience_s}s \
        "{\"op\": \"reconfigure\", \"seat\": \"$1\", \"key\": $2}"
}

start() { # node number
    airdeed node "$dir/n$1.yaml" 2>>"$dir/n$1.log" &
    pids[$1]=$!
}

kill_node() { # node number
    kill -9 "${pids[$1]}"
    wait "${pids[$1]}" 2>/dev/null
}

field() { # name, from one line of JSON on stdin
    sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

show() { # node number
    airdeed ledger show --node "$dir/n$1.yaml" --key "$dir/client.key" --json --timeout 10s 2>/dev/null
}

ask() { # node number, field
    show "$1" | field "$2"
}

all_connected() {
    local i
    for i in 0 1 2 3; do
        [ "$(show $i | grep -o '"up":true' | wc -l)" = 3 ] || return 1
    done
}

submit() { # client's key, operation: its nonce once it is committed
    airdeed ledger submit --node "$dir/cluster.yaml" --key "$dir/$1.key" --json --timeout ${patience_s}s "$2" 2>>"$dir/$1.errors" |
        grep '"committed":true' | field nonce >>"$dir/$1.acked"
}

load() { # client's key; one acknowledged nonce a line in KEY.acked
    local t
    submit "$1" "{\"op\": \"register\", \"call_sign\": \"$1\", \"lat_deg\": 48.1, \"lon_deg\": 11.6, \"height_m\": 12}"
    while [ ! -e "$dir/stop" ]; do
        t=$(date +%s%N)
        submit "$1" "{\"op\": \"evidence\", \"channel\": 0, \"kind\": \"reactive\", \"from_ns\": $t, \"at_ns\": $t,
            \"confidence\": 0.9, \"frames\": 10, \"good_frames\": 1}"
    done
}

start_loads() { # clients' keys
    local key
    for key in "$@"; do
        touch "$dir/$key.acked"
        load "$key" &
        loads+=($!)
    done
}

stop_loads() { # a client in the middle of a question finishes it
    touch "$dir/stop"
    wait "${loads[@]}" 2>/dev/null
    loads=()
}

acked() {
    cat "$dir"/*.acked | wc -l
}

acked_at_least() {
    [ "$(acked)" -ge "$1" ]
}

goes_on() { # so many more transactions are acknowledged
    await acked_at_least $(($(acked) + $1))
}

has_height() { # node number, height
    local height
    height=$(ask "$1" height)
    [ "${height:-0}" -ge "$2" ]
}

catches_up() { # node number, and of one that is ahead: it gets to where the other is now
    local height
    height=$(ask "$2" height)
    [ -n "$height" ] && await has_height "$1" "$height" || { echo "# n$1 did not reach height $height"; return 1; }
}

goes_on_without() { # node number: killed, and started again afterwards
    kill_node "$1"
    goes_on 5
    local code=$?
    start "$1"
    return $code
}

leader_of() { # node number to ask: the leader's number
    local name
    name=$(ask "$1" leader)
    echo "${name#n}"
}

same_height() { # node numbers
    local height i first=$1
    height=$(ask "$first" height)
    [ -n "$height" ] || return 1
    for i in "$@"; do [ "$(ask "$i" height)" = "$height" ] || return 1; done
}

stop_all() {
    local i code=0
    for i in "${!pids[@]}"; do kill -TERM "${pids[$i]}"; done
    for i in "${!pids[@]}"; do wait "${pids[$i]}" || code=1; done
    pids=()
    return $code
}

databases_agree() { # node numbers
    local i root first=
    for i in "$@"; do
        airdeed ledger verify "$dir/n$i.db" --json >"$dir/n$i.verdict" || { cat "$dir/n$i.verdict"; return 1; }
        root=$(field state_root <"$dir/n$i.verdict")
        [ -n "$root" ] && [ "$root" = "${first:=$root}" ] || { cat "$dir"/n*.verdict; return 1; }
    done
    sed 's/^/# /' "$dir/n$1.verdict"
}

nothing_was_lost() { # node numbers: what was acknowledged is in each one's database
    local i missing
    for i in "$@"; do
        airdeed ledger show "$dir/n$i.db" --transactions | awk '{ print $3 }' | sort >"$dir/n$i.nonces"
        missing=$(cat "$dir"/*.acked | sort | comm -23 - "$dir/n$i.nonces" | wc -l)
        [ "$missing" = 0 ] || { echo "# n$i lacks $missing acknowledged transactions"; return 1; }
    done
}

check_the_end() { # node numbers
    stop_loads
    check 'all reach the same height' await same_height "$@"
    check 'SIGTERM ends each with exit code 0' stop_all
    check 'all databases verify and have the same state root' databases_agree "$@"
}

check_nothing_lost() { # node numbers
    check "every acknowledged transaction ($(acked)) is in all databases" nothing_was_lost "$@"
}

stop_everything() { # for the trap on exit
    local pid
    for pid in "${loads[@]}" "${pids[@]}"; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
}
