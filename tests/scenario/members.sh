#!/bin/bash
# Taking a node's vote and giving it one while the ledger goes on under load: four processes, Raft and PBFT. Prints TAP.
# shellcheck disable=SC2034,SC2154 # engine, dir and pids are shared with what is sourced
set -u
. "$(dirname "$0")/../ledger_cluster.bash"
work=$(mktemp -d) || exit 3
trap 'stop_everything; rm -rf "$work"' EXIT

stop_node() { # node number
    kill -TERM "${pids[$1]}"
    wait "${pids[$1]}"
}

follows_without_a_vote() { # node number: it says so, the others do, and nothing alarms
    airdeed ledger status --node "$dir/cluster.yaml" --key "$dir/client.key" --timeout 10s >"$work/status" 2>&1
    grep -A1 "^n$1: follows without a vote; up for" "$work/status" | grep -q ', [0-9]* blocks behind' &&
        [ "$(grep -c "n$1 connected, without a vote" "$work/status")" = 3 ] && ! grep -A3 "^n$1:" "$work/status" | grep -q 'no leader' &&
        exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3 &&
        tr -d '\r' <&3 >"$work/metrics" && exec 3>&- && grep -qx 'airdeed_has_leader 1' "$work/metrics" &&
        grep -qx 'airdeed_has_vote 0' "$work/metrics"
}

leader_is_named() { # node number to ask: whom its status, `show` and its log call the leader says of itself that it leads
    local name show
    airdeed ledger status --node "$dir/cluster.yaml" --key "$dir/client.key" --timeout 10s >"$work/status" 2>&1
    name=$(sed -n "s/^n$1: .* leader \(n[0-3]\);.*/\1/p" "$work/status")
    show=$(ask "$1" leader)
    [ -n "$name" ] && [ "$name" = "$show" ] && grep -qE "^$name: (leader|primary), " "$work/status" && grep ': leader is ' "$dir/n$1.log" | tail -n 1 | grep -q "leader is $name "
}

run_engine() {
    init_cluster 4 --clients 3
    appoint_authority client-3
    local i
    serve_metrics 3
    for i in 0 1 2 3; do start $i; done
    check 'four nodes find each other' await all_connected
    start_loads client client-2
    check 'clients are served' goes_on 5
    check "a node's vote is taken" reconfigure remove 3
    check 'the other three go on' goes_on 5
    check 'it may be stopped' stop_node 3
    check 'they go on without it' goes_on 5
    [ "$engine" = pbft ] || check 'of three members one may be lost' goes_on_without 0
    start 3
    check 'it comes back without a vote and follows' catches_up 3 0
    check 'its status, that of the others and the metrics say so' await follows_without_a_vote 3
    check 'it is given a vote again' reconfigure add 3
    check 'four members go on' goes_on 5
    check 'of four members one may be lost' goes_on_without 1
    check 'who comes back catches up' catches_up 1 2
    check 'the vote of the first is taken, so that all others change seats' reconfigure remove 0
    check 'the other three go on again' goes_on 5
    check 'who leads them is named rightly' await leader_is_named 2
    check_the_end 0 1 2 3
    check_nothing_lost 0 1 2 3
}

for engine in raft pbft; do run_engine; done
end_tests
