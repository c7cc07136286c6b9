#!/bin/bash
# Three nodes have pruned the first blocks; a fourth comes with nothing but the genesis block, fetches a snapshot, is given a seat and votes.
# Four processes, Raft and PBFT. Prints TAP.
# shellcheck disable=SC2034,SC2154 # engine, dir and pids are shared with what is sourced
set -u
. "$(dirname "$0")/../ledger_cluster.bash"
work=$(mktemp -d) || exit 3
trap 'stop_everything; rm -rf "$work"' EXIT

first_block() { # node number: the first one that its database holds as a whole
    python3 -c 'import sqlite3, sys
print(sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT min(height) FROM tx_rows").fetchone()[0] or 0)' "$dir/n$1.db"
}

all_have_pruned() {
    local i
    for i in 0 1 2; do [ "$(first_block $i)" -gt 1 ] || return 1; done
}

votes() { # node number
    airdeed ledger status --node "$dir/cluster.yaml" --key "$dir/client.key" --timeout 10s 2>&1 | grep -A1 "^n$1: " >"$work/status"
    head -n 1 "$work/status" | grep -qE '^n[0-3]: (leader|follower|primary|backup), ' && grep -q '[ ,][0-9] blocks* behind' "$work/status"
}

restart_each() { # what memory holds goes; what is left is what the databases keep
    local i
    for i in 0 1 2; do
        kill -TERM "${pids[$i]}"
        wait "${pids[$i]}" || return 1
        start $i
        await votes $i && goes_on 2 || return 1
    done
}

says_where_it_begins() { # node number
    local base
    base=$(airdeed ledger verify "$dir/n$1.db" | sed -n 's/.*: pruned: what follows builds on the snapshot of block \([0-9]*\), which its members signed$/\1/p')
    [ "${base:-0}" -gt 1 ]
}

run_engine() {
    init_cluster 4 --clients 3
    appoint_authority client-3
    local i
    for i in 0 1 2 3; do printf 'prune: 32\nsnapshot_every: 8\n' >>"$dir/n$i.yaml"; done
    for i in 0 1 2; do start $i; done
    start_loads client client-2
    check 'three of four nodes serve clients' goes_on 5
    check 'the seat of the fourth is taken' reconfigure remove 3
    check 'all three prune the first blocks' await all_have_pruned
    check 'each is started again' restart_each
    start 3
    check 'the fourth, with an empty database, gets to where they are' catches_up 3 0
    check 'it says that a snapshot took it there' grep -q ': took a snapshot from other members: goes on from block [0-9]' "$dir/n3.log"
    check 'it is given a seat' reconfigure add 3
    check 'it votes' await votes 3
    check 'its vote counts: one of the others may be lost' goes_on_without 1
    check_the_end 0 1 2 3
    check "the fourth's says where it begins" says_where_it_begins 3
}

for engine in raft pbft; do run_engine; done
end_tests
