#!/bin/bash
# Eight submissions of one key at one time, to three nodes of Raft and four of PBFT, and one envelope handed in twice: who submits gets the
# result of its own transaction. Prints TAP.
# shellcheck disable=SC2034,SC2154 # engine, dir and pids are shared with what is sourced
set -u
. "$(dirname "$0")/../ledger_cluster.bash"
work=$(mktemp -d) || exit 3
trap 'stop_everything; rm -rf "$work"' EXIT

tell() { # options and operations
    airdeed ledger submit --node "$dir/cluster.yaml" --key "$dir/client.key" --timeout ${patience_s}s --json "$@"
}

registers() {
    tell '{"op": "register", "call_sign": "AD1", "lat_deg": 48.1, "lon_deg": 11.6, "height_m": 12}' >"$work/out" 2>&1
}

# Every other one gives back a lease that is not there: exit code 1 and another code
eight_at_once() { # round
    local i jobs=()
    for i in 0 1 2 3 4 5 6 7; do
        if [ $((i % 2)) = 0 ]; then
            tell "{\"op\": \"put\", \"key\": $i, \"value\": \"round $1\"}" >"$work/$1.$i" 2>>"$work/errors" &
        else
            tell "{\"op\": \"relinquish\", \"grant_id\": 99}" >"$work/$1.$i" 2>>"$work/errors" &
        fi
        jobs[i]=$!
    done
    for i in 0 1 2 3 4 5 6 7; do
        wait "${jobs[i]}"
        [ $? = $((i % 2)) ] && grep -q '"committed":true' "$work/$1.$i" && ! grep -q nonce_taken "$work/$1.$i" || { sed "s/^/# $i: /" "$work/$1.$i"; return 1; }
        grep -q '"code":0' "$work/$1.$i" || [ $((i % 2)) = 1 ] || return 1
    done
}

rounds() {
    local round
    for round in 1 2 3 4 5; do eight_at_once $round || return 1; done
    echo "# $(grep -c 'tries again' "$work/errors") fresh nonces"
}

# What was answered, as "height nonce operation success" a line, is what the ledger has, each once
each_is_there_once() {
    local i round
    for round in 1 2 3 4 5; do
        for i in 0 1 2 3 4 5 6 7; do
            echo "$(field height <"$work/$round.$i") $(field nonce <"$work/$round.$i") $([ $((i % 2)) = 0 ] && echo put || echo relinquish) $(field code <"$work/$round.$i")"
        done
    done | sort >"$work/answered"
    airdeed ledger show "$dir/n0.db" --transactions --json | python3 -c '
import json, sys
for t in json.load(sys.stdin)["transactions"]:
    if t["op"] in ("put", "relinquish") and t["nonce"] != int(sys.argv[1]): print(t["height"], t["nonce"], t["op"], t["code"])' "$(field nonce <"$work/first")" | sort >"$work/there"
    [ "$(wc -l <"$work/answered")" = 40 ] && diff "$work/answered" "$work/there" | sed 's/^/# /' && cmp -s "$work/answered" "$work/there"
}

one_result_twice() { # the same envelope once more, also after the node that took it has forgotten
    local nonce=$(($(date +%s%N) / 1000))
    tell --nonce $nonce '{"op": "put", "key": 9, "value": "once"}' >"$work/first" && tell --nonce $nonce '{"op": "put", "key": 9, "value": "once"}' >"$work/second" &&
        cmp "$work/first" "$work/second" && stop_all && start_all && await serves &&
        tell --nonce $nonce '{"op": "put", "key": 9, "value": "once"}' >"$work/second" && cmp "$work/first" "$work/second"
}

another_is_told_at_once() { # another operation under a nonce that is used, and one so old that no ledger takes it: without a block
    local nonce height
    nonce=$(field nonce <"$work/first")
    height=$(ask 0 height)
    tell --nonce "$nonce" '{"op": "put", "key": 10, "value": "never"}' >"$work/out"
    [ $? = 1 ] && grep -q '"committed":false' "$work/out" && grep -q '"code":502' "$work/out" && grep -q '"nonce_taken":"used"' "$work/out" || { sed 's/^/# /' "$work/out"; return 1; }
    tell --nonce 1000 '{"op": "put", "key": 10, "value": "never"}' >"$work/out"
    [ $? = 1 ] && grep -q '"nonce_taken":"used"' "$work/out" && [ "$(ask 0 height)" = "$height" ]
}

serves() {
    airdeed ledger get --node "$dir/cluster.yaml" --key "$dir/client.key" --timeout 10s 9 >/dev/null 2>&1
}

start_all() {
    local i
    for ((i = 0; i < n_nodes; i++)); do start $i; done
}

for engine in raft pbft; do
    n_nodes=$([ $engine = raft ] && echo 3 || echo 4)
    init_cluster $n_nodes
    start_all
    check 'a station registers' registers
    check 'of eight submissions at one time each gets its own result, five times' rounds
    check 'the same envelope again has the same result, also after a restart of all nodes' one_result_twice
    check 'another one under its nonce is refused at once' another_is_told_at_once
    check 'all stop cleanly' stop_all

    check 'all are on the ledger once, as was answered' each_is_there_once
done
end_tests
