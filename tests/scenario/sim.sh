#!/bin/bash
# Clusters of production nodes through every fault, under fixed seeds; what a failure prints replays it. Prints TAP.
set -u
. "$(dirname "$0")/../tap.bash"
root=${AIRDEED_SRC:?}
sim=$root/build/release/sim/airdeed_sim
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

# every kind of fault that one engine can meet must have happened
happened() { # kinds...
    local kind
    for kind in "$@"; do
        grep -qE "^faults:.* $kind [1-9]" "$work/run" || { echo "no $kind happened"; return 1; }
    done
}

suite() { # kinds of faults, arguments of the simulation...
    local kinds=$1
    shift
    "$sim" "$@" >"$work/run" 2>&1
    local code=$?
    sed 's/^/# /' "$work/run"
    # shellcheck disable=SC2086
    [ $code = 0 ] && happened $kinds
}

is_same_again() {
    local first second
    first=$("$sim" --seed 77 --count 1 --engine "$1" | grep '^trace') && second=$("$sim" --seed 77 --count 1 --engine "$1" | grep '^trace')
    echo "# $first"
    [ -n "$first" ] && [ "$first" = "$second" ] && [ "$first" != "$("$sim" --seed 78 --count 1 --engine "$1" | grep '^trace')" ]
}

# a failure prints a command, and that command fails in the same way
replays() {
    local args
    "$sim" --seed 500 --count 3 --engine raft --break-at 9000 >"$work/first" && return 1
    args=$(sed -n '0,/^replay: /s/^replay: .\/dev sim //p' "$work/first" | head -n 1)
    sed 's/^/# /' "$work/first"
    [ -n "$args" ] || return 1
    # shellcheck disable=SC2086
    "$sim" $args >"$work/second" && return 1
    diff <(grep -m1 '^FAILED' "$work/first") <(grep -m1 '^FAILED' "$work/second") &&
        diff <(grep -m1 '^trace' "$work/first") <(grep -m1 '^trace' "$work/second")
}

refuses_to_run_nothing() {
    "$sim" --seed 1 --count 1 --seconds 0.0000001
    [ $? = 1 ]
}

common='loss duplicate delay replay corrupt partition one-way blackout clock-drift clock-forward clock-back crash crash-before-send
crash-mid-send crash-before-write crash-after-write crash-in-sync crash-after-sync power torn-write dropped-write disk-full sync-fails slow-disk rolled-back-disk members-changed'
check 'Raft clusters of 3 to 10 hold under every fault, and converge' suite "$common" --seed 1000 --count 400 --engine raft
lies='convicted lie-batch lie-vote lie-stale lie-block lie-silent lie-claim lie-view'
check 'PBFT clusters of 3 to 10 hold under every fault and up to f liars, and converge' suite "$common $lies" --seed 2000 --count 300 \
    --engine pbft
check 'a member of four that runs in two places divides nobody' suite 'twins' --seed 1 --count 6000 --twins
check 'both engines hold with Ed25519 signatures' suite "crash loss" --seed 3000 --count 20 --ed25519
if [ -x "$root/build/debug/sim/airdeed_sim" ]; then
    sim=$root/build/debug/sim/airdeed_sim
    check 'neither address nor undefined-behaviour sanitizer finds anything meanwhile' suite "crash loss" --seed 4000 --count 40
    sim=$root/build/release/sim/airdeed_sim
fi
check 'one seed gives one trace (Raft)' is_same_again raft
check 'one seed gives one trace (PBFT)' is_same_again pbft
check 'a failure prints the command that replays it' replays
check 'a campaign in which no scenario ran is a failure' refuses_to_run_nothing
end_tests
