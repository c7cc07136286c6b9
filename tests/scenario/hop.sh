#!/bin/bash
# A control channel that hops, in whole stations: it goes on where its channel is jammed, everybody is on one channel in each slot and none of its frames reaches
# over an edge, a jammed channel leaves the set, and who missed an epoch finds the others again. Prints TAP.
set -u
. "$(dirname "$0")/../tap.bash"
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3

scenario() { # scenario NAME DURATION JAMMER [SECTION]
    cat >"$1.yaml" <<END
name: $1
duration: $2
channels:
  - {name: control, low: 5.18G, high: 5.19G}
  - {name: h1, low: 5.19G, high: 5.20G}
  - {name: h2, low: 5.20G, high: 5.21G}
control: control
${4:-}
stations:
  - {name: alpha, x_m: 0, y_m: 0}
  - {name: bravo, x_m: 10, y_m: 0, clock_offset: 300us}
  - {name: charlie, x_m: 0, y_m: 10, clock_offset: -200us}
  - {name: delta, x_m: 40, y_m: 40}
hop: {channels: [h1, h2], dwell: 50ms, rendezvous_every: 8}
jammers:
  - {name: j, $3}
END
}

height() { # height DIR
    sed -nE 's/.*"height": ([0-9]+).*/\1/p' "$1/summary.json" | head -1
}

runs() { # runs SCENARIO FIDELITY RESPONSES DIR
    airdeed run "$1.yaml" --fidelity "$2" --responses "$3" --seed 5 --out "$4" && grep -q '"all_equal": true' "$4/summary.json" &&
        airdeed ledger verify "$4/ledger-delta.db"
}

more_than() { # more_than A B: A > 5/2 B
    echo "$1 $2"
    [ $((2 * $1)) -gt $((5 * $2)) ]
}

# Slots count from 1970; the edge of a slot is where clocks that differ by .5 ms may see it. Edges between slots of one channel are none.
slots() { # slots DIR
    awk -F'[:,"{}]+' '
        /"event":"emission"/ {
            for (i = 1; i < NF; i++) { if ($i == "start_ns") s = $(i + 1); if ($i == "end_ns") e = $(i + 1); if ($i == "channel") c = $(i + 1) }
            if (s < 1.2e9) next
            frames++
            a = int((s + 25e4) / 5e7); b = int((s - 25e4) / 5e7)
            if (a != b) { print "in an edge: " $0; next }
            if (a in on && on[a] != c) { print "slot " a " on " on[a] " and " c; bad++ }
            on[a] = c; used[c]++
            if (a % 8 == 0 && c != 0) { print "no rendezvous: " $0; bad++ }
            if (a % 8 != 0 && c == 0) { print "not hopping: " $0; bad++ }
            if (int((e - 1) / 5e7) > int(s / 5e7)) over[a] = c
        }
        END {
            for (a in over) if ((a + 1) in on && on[a + 1] != over[a]) { print "over the edge of " a; bad++ }
            print frames, used[0], used[1], used[2], bad + 0
            exit !(frames > 300 && used[1] > 50 && used[2] > 50 && used[0] > 0 && bad == 0)
        }' "$1/events.jsonl"
}

scenario control 6s "kind: noise, channel: control, start: 2s"
check "with its channel jammed a control channel that stays stands still" runs control packet none stays
check "one that hops goes on" runs control packet hop hops
check "and commits far more" more_than "$(height hops)" "$(height stays)"
check "on samples too" runs control iq hop samples
check "far more" more_than "$(height samples)" "$(height stays)"
counted() { # each of four stations hopped, with the one epoch that one of them brought
    grep -c '"hops": [1-9]' hops/summary.json | grep -qx 4 && grep -c '"epoch": 1,' hops/summary.json | grep -qx 4 && grep -c '"brought": 1' hops/summary.json | grep -qx 1 &&
        grep -c '"hops": 0' stays/summary.json | grep -qx 4
}
check "summary.json counts changes of channel and epochs" counted
check "the same seed gives the same bytes" runs control packet hop again
check "in every file" cmp hops/events.jsonl again/events.jsonl
check "everybody is on one channel in a slot, and no frame reaches over an edge" slots hops
check "on samples too" slots samples

mask() { # mask DIR CHANNELS
    airdeed ledger state "$1/ledger-alpha.db" hop | tee state && grep -q "channels $2 " state
}
scenario one 6s "kind: noise, channel: h1, start: 2s"
check "one of the set is jammed" runs one iq hop one
check "then what the ledger agrees on leaves it out" mask one 2

# delta's place is jammed on all channels from before the first epoch on, for 3 s; rounds are .4 s
rejoins() {
    local at
    at=$(sed -nE 's/.*"t_ns":([0-9]+),"event":"emission","station":"delta","channel":[12],.*/\1/p' cut/events.jsonl | head -1)
    echo "first on a hop channel at $at"
    grep -q '"event":"emission","station":"alpha","channel":[12],"start_ns":[12]' cut/events.jsonl && [ "$at" -gt 3000000000 ] && [ "$at" -lt 4200000000 ]
}
scenario cut 6s "kind: noise, channels: [control, h1, h2], start: 0s, stop: 3s, x_m: 40, y_m: 41, power_dbm: -12" \
    "path_loss: {exponent: 2, power_dbm: 0}"
check "a station that hears nothing misses the first epoch" runs cut packet hop cut
check "and hops with the others within three rounds of hearing again" rejoins

# Ledger nodes on sockets carry epochs: a member's, sealed with the operating system's randomness; not a client's.
n1_has_epoch_2() { airdeed ledger state nodes/n1.db hop | grep -q "hop_epoch 2 "; }
nodes() {
    local pids=() id from rc=0
    airdeed node --init-cluster 4 --dir nodes --base-port 0 >log2 || return 1
    sed -i 's/{low: 5190M, high: 5200M,/& hop: true,/; s/{low: 5200M, high: 5210M,/& hop: true,/' nodes/cluster.yaml
    echo 'hop: {dwell: 5s, rendezvous_every: 8, hold_off: 10s}' >>nodes/cluster.yaml
    for id in 0 1 2 3; do
        airdeed node "nodes/n$id.yaml" 2>"nodes/n$id.log" &
        pids+=($!)
    done
    from=$((($(date +%s) + 200) * 1000000000))
    airdeed ledger submit --node nodes/cluster.yaml --key nodes/n1.key --timeout 60s \
        "{\"op\": \"hop-epoch\", \"epoch\": 1, \"channels\": [1, 2], \"from_ns\": $from}" || rc=1
    airdeed ledger submit --node nodes/cluster.yaml --key nodes/client.key --timeout 60s \
        "{\"op\": \"hop-epoch\", \"epoch\": 2, \"channels\": [1, 2], \"from_ns\": $from}" | grep NOT_ENTITLED || rc=1
    # who left is not among those to whom the next key is sealed
    for id in 0 1 2; do
        airdeed ledger submit --node nodes/cluster.yaml --key "nodes/n$id.key" --timeout 60s '{"op": "reconfigure", "seat": "remove", "key": 3}' || rc=1
    done
    airdeed ledger submit --node nodes/cluster.yaml --key nodes/n1.key --timeout 60s \
        "{\"op\": \"hop-epoch\", \"epoch\": 2, \"channels\": [1, 2], \"from_ns\": $from, \"seats\": [0, 1, 2]}" || rc=1
    await n1_has_epoch_2 || rc=1 # soon after whoever answered
    kill "${pids[@]}"
    wait "${pids[@]}"
    airdeed ledger state nodes/n1.db hop | grep -c "  box " | grep -qx 3 && airdeed ledger verify nodes/n1.db && return "$rc"
}
check "nodes carry a member's epoch, refuse a client's, and seal the next one to those who stay" nodes

end_tests
