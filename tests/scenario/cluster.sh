#!/bin/bash
# Four ledger nodes as processes, clients that submit all the time, kill -9 of each node in turn: the others go on, it comes back and
# catches up, and in the end every acknowledged transaction is in all four databases. With pbft and with raft. Prints TAP.
set -u
work=$(mktemp -d) || exit 3
declare -A pids=()
loads=()
n=0
failed=0

cleanup() {
    for pid in "${loads[@]}" "${pids[@]}"; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

check() { # description, command...
    local what=$1
    shift
    n=$((n + 1))
    if "$@"; then
        echo "ok $n - $engine: $what"
    else
        echo "not ok $n - $engine: $what"
        failed=1
    fi
}

within() { # seconds, command...: until it succeeds
    local until=$((SECONDS + $1))
    shift
    while ! "$@"; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.1
    done
}

start() { # node number
    airdeed node "$dir/n$1.yaml" 2>>"$dir/n$1.log" &
    pids[$1]=$!
}

field() { # name, from one line of JSON on stdin
    sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

ask() { # node number, field
    airdeed ledger show --node "$dir/n$1.yaml" --key "$dir/client.key" --json --timeout 1s 2>/dev/null | field "$2"
}

all_connected() {
    local i
    for i in 0 1 2 3; do
        [ "$(airdeed ledger show --node "$dir/n$i.yaml" --key "$dir/client.key" --json --timeout 1s 2>/dev/null |
            grep -o '"up":true' | wc -l)" = 3 ] || return 1
    done
}

submit() { # client's key, operation: its nonce once it is committed
    airdeed ledger submit --node "$dir/cluster.yaml" --key "$dir/$1.key" --json --timeout 20s "$2" 2>>"$dir/$1.errors" |
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

acked() {
    cat "$dir"/*.acked | wc -l
}

acked_at_least() {
    [ "$(acked)" -ge "$1" ]
}

has_height() { # node number, height
    local height
    height=$(ask "$1" height)
    [ "${height:-0}" -ge "$2" ]
}

leader_of() { # node number to ask: the leader's number
    local name
    name=$(ask "$1" leader)
    echo "${name#n}"
}

kill_and_revive() { # node number
    local other=$((($1 + 1) % 4)) before height
    kill -9 "${pids[$1]}"
    wait "${pids[$1]}" 2>/dev/null
    before=$(acked)
    within 15 acked_at_least $((before + 12))
    local progress=$?
    height=$(ask $other height)
    start "$1"
    [ $progress = 0 ] || { echo "# the others did not go on without n$1"; return 1; }
    within 15 has_height "$1" "${height:-1000000}" || { echo "# n$1 did not reach height $height"; return 1; }
}

stays_still() { # nothing is committed for two seconds
    sleep 0.5 # answers under way
    local before
    before=$(acked)
    sleep 2
    [ "$(acked)" = "$before" ]
}

two_down() {
    kill -9 "${pids[2]}" "${pids[3]}"
    wait "${pids[2]}" "${pids[3]}" 2>/dev/null
    stays_still
    local still=$? before
    start 2
    start 3
    before=$(acked)
    [ $still = 0 ] || { echo "# two of four nodes committed"; return 1; }
    within 20 acked_at_least $((before + 12))
}

a_stranger_is_refused() {
    airdeed keygen stranger --out "$dir" >/dev/null
    airdeed ledger show --node "$dir/n0.yaml" --key "$dir/stranger.key" >"$dir/stranger.out" 2>&1
    [ $? = 2 ] && grep -q 'does not know this key' "$dir/stranger.out" && [ "$(ask 0 strangers)" -ge 1 ]
}

same_height() {
    local height
    height=$(ask 0 height)
    [ -n "$height" ] && [ "$(ask 1 height)" = "$height" ] && [ "$(ask 2 height)" = "$height" ] && [ "$(ask 3 height)" = "$height" ]
}

stop_all() {
    local i code=0
    for i in 0 1 2 3; do kill -TERM "${pids[$i]}"; done
    for i in 0 1 2 3; do wait "${pids[$i]}" || code=1; done
    pids=()
    return $code
}

databases_agree() {
    local i root first=
    for i in 0 1 2 3; do
        airdeed ledger verify "$dir/n$i.db" --json >"$dir/n$i.verdict" || { cat "$dir/n$i.verdict"; return 1; }
        root=$(field state_root <"$dir/n$i.verdict")
        [ -n "$root" ] && [ "$root" = "${first:=$root}" ] || { cat "$dir"/n*.verdict; return 1; }
    done
    sed 's/^/# /' "$dir/n0.verdict"
}

nothing_was_lost() {
    local i missing
    for i in 0 1 2 3; do
        airdeed ledger show "$dir/n$i.db" --transactions | awk '{ print $3 }' | sort >"$dir/n$i.nonces"
        missing=$(cat "$dir"/*.acked | sort | comm -23 - "$dir/n$i.nonces" | wc -l)
        [ "$missing" = 0 ] || { echo "# n$i lacks $missing acknowledged transactions"; return 1; }
    done
}

# a view change may order a transaction again; the ledger refuses it then
nothing_ran_twice() {
    [ "$(airdeed ledger show "$dir/n0.db" --transactions | grep -c '(0)$')" -ge 30 ] || { echo "# few transactions took effect"; return 1; }
    [ "$(airdeed ledger show "$dir/n0.db" --transactions | awk '$NF == "(0)" { print $2, $3 }' | sort | uniq -d | wc -l)" = 0 ]
}

run_engine() {
    dir=$work/$engine
    airdeed node --init-cluster 4 --dir "$dir" --engine "$engine" --base-port 0 --clients 3 >/dev/null || exit 3
    local i leader
    for i in 0 1 2 3; do start $i; done
    check "four processes find each other" within 15 all_connected
    for i in client client-2 client-3; do
        touch "$dir/$i.acked"
        load $i &
        loads+=($!)
    done
    check "transactions are committed" within 15 acked_at_least 12
    check "an unknown key is not let in" a_stranger_is_refused
    leader=$(leader_of 0)
    check "the leader, n$leader, is killed and comes back" kill_and_revive "$leader"
    for i in 0 1 2 3; do
        [ "$i" = "$leader" ] || check "n$i is killed and comes back" kill_and_revive $i
    done
    check "two of four commit nothing; once they are back all goes on" two_down
    touch "$dir/stop" # a client in the middle of a question finishes it
    wait "${loads[@]}" 2>/dev/null
    loads=()
    check "all reach the same height" within 20 same_height
    check "SIGTERM ends each with exit code 0" stop_all
    check "ledger verify finds the same state root in all four databases" databases_agree
    check "every acknowledged transaction ($(acked)) is in all four databases" nothing_was_lost
    check "and none took effect twice" nothing_ran_twice
    [ $failed = 0 ] || tail -n 25 "$dir"/n*.log | sed 's/^/# /'
}

for engine in pbft raft; do
    run_engine
done
echo "1..$n"
exit $failed
