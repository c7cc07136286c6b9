#!/bin/bash
# A PBFT ledger of four processes, one of which lies with a member's keys, and a client that does: the others go on, stay of one mind, use
# no more memory than before, and hold the liar's contradictions against it. Prints TAP.
# shellcheck disable=SC2034,SC2154 # engine, dir, pids and failed are shared with what is sourced
set -u
. "$(dirname "$0")/../ledger_cluster.bash"
build=${AIRDEED_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build/release}
seed=${AIRDEED_SEED:-$((RANDOM * 32768 + RANDOM))}
work=$(mktemp -d) || exit 3
trap 'stop_everything; rm -rf "$work"' EXIT
engine=pbft

resident_kb() { # the most that an honest node ever held
    local i kb most=0
    for i in 0 1 2; do
        kb=$(sed -n 's/VmHWM: *\([0-9]*\).*/\1/p' "/proc/${pids[$i]}/status")
        [ "${kb:-0}" -le $most ] || most=$kb
    done
    echo $most
}

lies() { # how many it told of each; none may be zero
    local name
    for name in "$@"; do
        [ "$(sed -n "s/^$name //p" "$dir/lies")" -gt 0 ] || { echo "# no $name: $(tr '\n' ' ' <"$dir/lies")"; return 1; }
    done
    tr '\n' ' ' <"$dir/lies" | sed 's/^/# /'
    echo
}

honest_nodes_live() {
    local i
    for i in 0 1 2; do kill -0 "${pids[$i]}" || return 1; done
}

memory_stays() { # within 64 MiB of what it was
    local kb
    kb=$(resident_kb)
    [ "$kb" -le $((before_kb + 65536)) ] || { echo "# $before_kb kB before, $kb kB after"; return 1; }
}

liar_is_convicted() {
    airdeed ledger show "$dir/n0.db" --transactions | grep -q 'equivocation.*(0)$'
}

init_cluster 4 --clients 4
for i in 0 1 2 3; do start $i; done
echo "# seed $seed"
check "four processes find each other" await all_connected
start_loads client client-2 client-3
check "transactions are committed" await acked_at_least 12
before_kb=$(resident_kb)
kill_node 3
unset 'pids[3]'

wanted=(votes two_proposals questions view_changes new_views replayed mutated cut_short noise)
timeout 150 "$build/interop/interop_byzantine" replica "$dir/n3.yaml" 12 "$seed" "${wanted[@]}" >"$dir/lies" 2>"$dir/liar.log" &
liar=$!
check "with a member that lies the others go on" goes_on 20
wait $liar
check "it told every lie" lies "${wanted[@]}"
check "no honest node stopped" honest_nodes_live
check "and all still go on" goes_on 10
check "its contradictions are on the ledger" await liar_is_convicted

wanted=(registration_storm bad_signatures two_contents latest_nonces no_operations oversized no_json deep_json)
timeout 150 "$build/interop/interop_byzantine" client "$dir/cluster.yaml" "$dir/client-4.key" 10 "$seed" "${wanted[@]}" >"$dir/lies" 2>"$dir/liar.log" &
liar=$!
check "with a client that lies the others go on" goes_on 20
wait $liar
check "it told every lie" lies "${wanted[@]}"
check "no honest node stopped" honest_nodes_live
check "and none holds more than 64 MiB above what it did" memory_stays

start 3
check "the honest program in the liar's place catches up" catches_up 3 0
check_the_end 0 1 2 3
check_nothing_lost 0 1 2 3
[ $failed = 0 ] || { echo "# seed $seed"; tail -n 25 "$dir"/n*.log "$dir/liar.log" | sed 's/^/# /'; }
end_tests
