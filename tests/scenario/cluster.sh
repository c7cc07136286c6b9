#!/bin/bash
# Four ledger nodes as processes, clients that submit all the time, kill -9 of each node in turn: the others go on, it comes back and
# catches up, and in the end every acknowledged transaction is in all four databases. With pbft and with raft. Prints TAP.
# shellcheck disable=SC2034,SC2154 # engine, dir, pids and failed are shared with what is sourced
set -u
. "$(dirname "$0")/../ledger_cluster.bash"
work=$(mktemp -d) || exit 3
trap 'stop_everything; rm -rf "$work"' EXIT

kill_and_revive() { # node number
    kill_node "$1"
    goes_on 12
    local progress=$?
    start "$1"
    [ $progress = 0 ] || { echo "# the others did not go on without n$1"; return 1; }
    catches_up "$1" $((($1 + 1) % 4))
}

stays_still() { # of each client what was under way may still be answered; what comes after that is not committed
    local before
    before=$(acked)
    sleep 2.5
    [ $(($(acked) - before)) -le 3 ]
}

two_down() {
    kill_node 2
    kill_node 3
    stays_still
    local still=$?
    start 2
    start 3
    [ $still = 0 ] || { echo "# two of four nodes committed"; return 1; }
    goes_on 12
}

a_stranger_is_refused() {
    airdeed keygen stranger --out "$dir" >/dev/null
    airdeed ledger show --node "$dir/n0.yaml" --key "$dir/stranger.key" >"$dir/stranger.out" 2>&1
    [ $? = 2 ] && grep -q 'does not know this key' "$dir/stranger.out" && [ "$(ask 0 strangers)" -ge 1 ]
}

# a view change may order a transaction again; the ledger refuses it then
nothing_ran_twice() {
    [ "$(airdeed ledger show "$dir/n0.db" --transactions | grep -c '(0)$')" -ge 30 ] || { echo "# few transactions took effect"; return 1; }
    [ "$(airdeed ledger show "$dir/n0.db" --transactions | awk '$NF == "(0)" { print $2, $3 }' | sort | uniq -d | wc -l)" = 0 ]
}

run_engine() {
    init_cluster 4 --clients 3
    local i leader
    for i in 0 1 2 3; do start $i; done
    check "four processes find each other" await all_connected
    start_loads client client-2 client-3
    check "transactions are committed" await acked_at_least 12
    check "an unknown key is not let in" a_stranger_is_refused
    leader=$(leader_of 0)
    check "the leader, n$leader, is killed and comes back" kill_and_revive "$leader"
    for i in 0 1 2 3; do
        [ "$i" = "$leader" ] || check "n$i is killed and comes back" kill_and_revive $i
    done
    check "two of four commit nothing; once they are back all goes on" two_down
    check_the_end 0 1 2 3
    check_nothing_lost 0 1 2 3
    check "and none took effect twice" nothing_ran_twice
    [ $failed = 0 ] || tail -n 25 "$dir"/n*.log | sed 's/^/# /'
}

for engine in pbft raft; do
    run_engine
done
end_tests
