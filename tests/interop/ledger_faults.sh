#!/bin/bash
# Four ledger nodes as processes under what an operating system can do to them, with clients that write and read registers all the time:
# SIGSTOP, a second process on a database, a full disk, an old copy of a database, and, where namespaces may be made, a network that is
# cut and slowed. What was acknowledged is everywhere in the end, and what the clients saw is linearizable. With raft and with pbft. Prints TAP.
# shellcheck disable=SC2034,SC2154 # engine, dir, pids and failed are shared with what is sourced
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../ledger_cluster.bash"
work=$(mktemp -d) || exit 3
net=ad$$ # of namespaces and devices
trap 'stop_everything; remove_network; umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT

# --- clients that write and read: a line a operation in KEY.history ---

put() { # client's key, register, value
    local start_ns done=false said
    start_ns=$(date +%s%N)
    said=$(airdeed ledger submit --node "$dir/cluster.yaml" --key "$dir/$1.key" --json --timeout 8s \
        "{\"op\": \"put\", \"key\": $2, \"value\": \"$3\"}" 2>>"$dir/$1.errors")
    case $said in
    *'"committed":true'*'"code":0'*)
        done=true
        echo "$said" | field nonce >>"$dir/$1.acked"
        ;;
    esac
    echo "{\"client\": \"$1\", \"op\": \"put\", \"key\": \"$1/$2\", \"value\": \"$(printf %s "$3" | b2sum -l 256 | cut -d' ' -f1)\", \"start_ns\": $start_ns, \"end_ns\": $(date +%s%N), \"done\": $done}" \
        >>"$dir/$1.history"
}

get() { # client's key, whose register, register
    local start_ns said value
    start_ns=$(date +%s%N)
    said=$(airdeed ledger get --node "$dir/cluster.yaml" --key "$dir/$1.key" --json --timeout 8s --station "$2" "$3" 2>>"$dir/$1.errors") || return
    value=$(echo "$said" | field value_hash)
    [ ${#value} = 64 ] && value="\"$value\"" || value=null
    echo "{\"client\": \"$1\", \"op\": \"get\", \"key\": \"$2/$3\", \"value\": $value, \"start_ns\": $start_ns, \"end_ns\": $(date +%s%N), \"done\": true}" \
        >>"$dir/$1.history"
}

next_client() { # everybody reads what somebody else writes, and writes its own
    case $1 in client) echo client-2 ;; client-2) echo client-3 ;; *) echo client ;; esac
}

write_and_read() { # client's key, the writer whose registers it reads
    local i=0
    while [ ! -e "$dir/stop" ]; do
        i=$((i + 1))
        put "$1" $((i % 3)) "$1-$i"
        get "$1" "$2" $((i % 3))
    done
}

start_clients() {
    local key
    for key in client client-2 client-3; do
        touch "$dir/$key.acked"
        submit "$key" "{\"op\": \"register\", \"call_sign\": \"$key\", \"lat_deg\": 48.1, \"lon_deg\": 11.6, \"height_m\": 12}"
    done
    for key in client client-2 client-3; do
        write_and_read "$key" "$(next_client "$key")" &
        loads+=($!)
    done
}

# --- faults ---

stop_and_continue() { # node number
    kill -STOP "${pids[$1]}"
    goes_on 4
    local progress=$?
    kill -CONT "${pids[$1]}"
    [ $progress = 0 ] || { echo "# the others did not go on while n$1 stood still"; return 1; }
    catches_up "$1" $((($1 + 1) % 4))
}

second_is_refused() {
    airdeed node "$dir/n1.yaml" >"$dir/second.out" 2>&1
    [ $? = 3 ] && grep -q 'another process writes to it' "$dir/second.out" || { sed 's/^/# /' "$dir/second.out"; return 1; }
}

fill_the_disk() { # node 2's database, closed cleanly, on a file system without room for a write-ahead log
    local small code
    kill -TERM "${pids[2]}"
    wait "${pids[2]}"
    mkdir -p "$work/small"
    mount -t tmpfs -o size=96m none "$work/small" || return 1
    cp "$dir/n2.db" "$work/small/"
    cat /dev/zero >"$work/small/filler" 2>/dev/null
    sed "s#^database:.*#database: $work/small/n2.db#; s#^cluster: *#cluster: $dir/#; s#^key: *#key: $dir/#" "$dir/n2.yaml" >"$dir/small.yaml"
    airdeed node "$dir/small.yaml" 2>"$dir/small.log" &
    small=$!
    await sh -c "! kill -0 $small 2>/dev/null" || { kill -9 $small; echo "# it goes on with a full disk"; umount "$work/small"; start 2; return 1; }
    wait $small
    code=$?
    rm -f "$work/small/filler" "$dir"/n2.db*
    cp "$work/small"/n2.db* "$dir/"
    umount "$work/small"
    start 2
    [ $code = 3 ] && grep -q 'full\|disk' "$dir/small.log" || { echo "# exit code $code"; sed 's/^/# /' "$dir/small.log"; return 1; }
    catches_up 2 0
}

roll_back() { # node 1 comes back with the database that it had some time ago
    kill_node 1
    cp "$dir/n1.db" "$dir/old.db"
    [ ! -e "$dir/n1.db-wal" ] || cp "$dir/n1.db-wal" "$dir/old.db-wal"
    start 1
    goes_on 6 && catches_up 1 0 || return 1
    kill_node 1
    rm -f "$dir"/n1.db-wal "$dir"/n1.db-shm
    mv "$dir/old.db" "$dir/n1.db"
    [ ! -e "$dir/old.db-wal" ] || mv "$dir/old.db-wal" "$dir/n1.db-wal"
    start 1
    [ "$engine" = raft ] || await grep -q "does not vote" "$dir/n1.log" || { echo "# it does not say that it is behind what it signed"; return 1; }
    goes_on 4 && catches_up 1 0
}

# --- a network of namespaces ---

remove_network() {
    local i
    for i in 0 1 2 3; do
        ip link del "${net}v$i" 2>/dev/null
        ip netns del "$net-$i" 2>/dev/null
    done
    ip link del "${net}br" 2>/dev/null
}

make_network() { # four namespaces on a bridge; false where that may not be
    local i
    [ "$(id -u)" = 0 ] && command -v ip >/dev/null && ip link add "${net}br" type bridge 2>/dev/null || return 1
    ip addr add 10.213.77.254/24 dev "${net}br" && ip link set "${net}br" up || return 1
    for i in 0 1 2 3; do
        ip netns add "$net-$i" 2>/dev/null && ip link add "${net}v$i" type veth peer name eth0 netns "$net-$i" || return 1
        ip link set "${net}v$i" master "${net}br" up || return 1
        ip -n "$net-$i" addr add "10.213.77.$((i + 1))/24" dev eth0 || return 1
        ip -n "$net-$i" link set eth0 up && ip -n "$net-$i" link set lo up || return 1
    done
}

start_there() { # node number
    ip netns exec "$net-$1" airdeed node "$dir/n$1.yaml" 2>>"$dir/n$1.log" &
    pids[$1]=$!
}

cut_off() { # node number
    ip link set "${net}v$1" down
    goes_on 6
    local progress=$?
    ip link set "${net}v$1" up
    [ $progress = 0 ] || { echo "# the others did not go on without n$1"; return 1; }
    catches_up "$1" $((($1 + 1) % 4))
}

cut_in_halves() { # two nodes on a bridge of their own: nobody has a quorum
    local before more
    ip link set "${net}v2" down
    ip link set "${net}v3" down
    before=$(acked)
    sleep 3
    more=$(($(acked) - before))
    ip link set "${net}v2" up
    ip link set "${net}v3" up
    # the answer to what each client had under way may still be on its way
    [ $more -le 3 ] || { echo "# $more committed without a quorum"; return 1; }
    goes_on 6
}

slow_down() { # node number: 64 kbit/s and half a second in a queue
    tc qdisc add dev "${net}v$1" root tbf rate 64kbit burst 4kb latency 500ms || return 1
    goes_on 6
    local progress=$?
    tc qdisc del dev "${net}v$1" root
    [ $progress = 0 ] && catches_up "$1" $((($1 + 1) % 4))
}

# --- what has to hold ---

histories_are_linearizable() {
    /usr/bin/python3 "$here/linearizable.py" "$dir/all.history" >"$dir/judged" 2>&1
    local code=$?
    sed 's/^/# /' "$dir/judged"
    return $code
}

finish() {
    check_the_end 0 1 2 3
    check_nothing_lost 0 1 2 3
    cat "$dir"/*.history >"$dir/all.history"
    check "what $(wc -l <"$dir/all.history") operations saw is linearizable" histories_are_linearizable
    [ $failed = 0 ] || tail -n 20 "$dir"/n*.log "$dir"/*.errors | sed 's/^/# /'
}

checker_is_sound() { # histories that are not linearizable are found, the others are not
    local put='"client": "a", "op": "put", "key": "1"' get='"client": "b", "op": "get", "key": "1"' lines verdict
    while IFS='|' read -r verdict lines; do
        echo "$lines" | sed 's/; /\n/g; s/PUT/{'"$put"'/g; s/GET/{'"$get"'/g' >"$work/h"
        /usr/bin/python3 "$here/linearizable.py" "$work/h" >/dev/null 2>&1
        [ $? = "$verdict" ] || { echo "# wrong: $lines"; return 1; }
    done <<'H'
0|PUT, "value": "x", "start_ns": 1, "end_ns": 2, "done": true}; GET, "value": "x", "start_ns": 3, "end_ns": 4, "done": true}
1|PUT, "value": "x", "start_ns": 1, "end_ns": 2, "done": true}; GET, "value": null, "start_ns": 3, "end_ns": 4, "done": true}
0|PUT, "value": "x", "start_ns": 1, "end_ns": 5, "done": true}; GET, "value": null, "start_ns": 2, "end_ns": 3, "done": true}
1|PUT, "value": "x", "start_ns": 1, "end_ns": 9, "done": true}; GET, "value": "x", "start_ns": 2, "end_ns": 3, "done": true}; GET, "value": null, "start_ns": 4, "end_ns": 5, "done": true}
0|PUT, "value": "x", "start_ns": 1, "end_ns": 2, "done": false}; GET, "value": null, "start_ns": 3, "end_ns": 4, "done": true}; GET, "value": "x", "start_ns": 7, "end_ns": 8, "done": true}
1|PUT, "value": "x", "start_ns": 1, "end_ns": 2, "done": false}; GET, "value": "x", "start_ns": 3, "end_ns": 4, "done": true}; GET, "value": null, "start_ns": 7, "end_ns": 8, "done": true}
1|PUT, "value": "x", "start_ns": 1, "end_ns": 2, "done": true}; PUT, "value": "y", "start_ns": 3, "end_ns": 4, "done": true}; GET, "value": "x", "start_ns": 5, "end_ns": 6, "done": true}
1|GET, "value": "x", "start_ns": 1, "end_ns": 2, "done": true}; PUT, "value": "x", "start_ns": 3, "end_ns": 4, "done": true}
2|
H
}

run_on_one_machine() {
    init_cluster 4 --clients 3
    local i leader
    for i in 0 1 2 3; do start $i; done
    check "four processes find each other" await all_connected
    start_clients
    check "registers are written" goes_on 6
    leader=$(leader_of 0)
    check "the leader, n$leader, stands still and goes on" stop_and_continue "$leader"
    check "a second process on n1's database is refused" second_is_refused
    if [ "$(id -u)" = 0 ]; then
        check "n2's disk is full: it stops, and comes back" fill_the_disk
    else
        skip "n2's disk is full: it stops, and comes back" "only root may mount a small one"
    fi
    check "n1 comes back with an old database, is held to what it signed, and catches up" roll_back
    finish
}

run_on_a_network() {
    local i
    if ! make_network; then
        skip "the network is cut and slowed" "network namespaces cannot be made here"
        remove_network
        return
    fi
    dir=$work/$engine-net
    airdeed node --init-cluster 4 --dir "$dir" --engine "$engine" --base-port 7400 --clients 3 >/dev/null || exit 3
    for i in 0 1 2 3; do sed -i "s#tcp://127.0.0.1:$((7400 + i))#tcp://10.213.77.$((i + 1)):$((7400 + i))#" "$dir/cluster.yaml"; done
    for i in 0 1 2 3; do start_there $i; done
    check "four namespaces find each other" await all_connected
    start_clients
    check "registers are written" goes_on 6
    check "n$(leader_of 0), the leader, is cut off and comes back" cut_off "$(leader_of 0)"
    check "without a quorum nothing is committed; then all goes on" cut_in_halves
    if tc qdisc add dev "${net}br" root tbf rate 1gbit burst 1mb latency 1ms 2>/dev/null; then
        tc qdisc del dev "${net}br" root
        check "one slow line holds nobody up" slow_down 3
    else
        skip "one slow line holds nobody up" "the kernel has no token bucket filter"
    fi
    finish
    remove_network
}

engine=checker
check "a history that is not linearizable is found" checker_is_sound
for engine in raft pbft; do
    run_on_one_machine
    run_on_a_network
done
end_tests
