#!/bin/bash
# Vote slots in whole stations: members agree, nobody sends without a deed, the same seed gives the same bytes, and a commit takes less time.
# Prints TAP.
set -u
. "$(dirname "$0")/../tap.bash"
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3

scenario() { # scenario NAME MAC
    cat >"$1.yaml" <<END
name: $1
duration: 3s
settle: 500ms
channels:
  - {name: control, low: 5.18G, high: 5.19G}
control: control
mac: {$2}
stations:
  - {name: alpha, x_m: 0}
  - {name: bravo, x_m: 12}
  - {name: carol, x_m: 24}
  - {name: david, x_m: 36}
  - {name: ellen, x_m: 48}
END
}

value() { # value FILE KEY
    sed -nE "s/.*\"$2\": ([-0-9.]+).*/\1/p" "$1" | head -1
}

plans() { # frames that announce a slot plan: behind the LLC header stands EtherType 88b6
    LC_ALL=C grep -aoP '\xaa\xaa\x03\x00\x00\x00\x88\xb6' "$1/air.pcapng" | wc -l
}

runs() { # runs ENGINE FIDELITY
    airdeed run slots.yaml --consensus "$1" --fidelity "$2" --seed 5 --json --out "$1-$2" >"$1-$2.json" || return 1
    cat "$1-$2.json"
    [ "$(plans "$1-$2")" -gt 20 ] && grep -q '"all_equal": true' "$1-$2.json" && grep -q '"transmissions_without_lease": 0' "$1-$2.json"
}

repeats() {
    airdeed run slots.yaml --consensus pbft --fidelity packet --seed 5 --out again >again.log || return 1
    cmp pbft-packet/events.jsonl again/events.jsonl && cmp pbft-packet/air.pcapng again/air.pcapng
}

faster() { # faster ENGINE
    airdeed run plain.yaml --consensus "$1" --fidelity packet --seed 5 --json --out "$1-plain" >"$1-plain.json" || return 1
    echo "p50: slots $(value "$1-packet.json" p50_ms) ms, plain $(value "$1-plain.json" p50_ms) ms"
    [ "$(plans "$1-plain")" -eq 0 ] &&
        awk "BEGIN { exit !($(value "$1-packet.json" p50_ms) < $(value "$1-plain.json" p50_ms)) }"
}

refuses() {
    scenario bad "vote_slots: true, repair: true"
    airdeed run bad.yaml 2>err && return 1
    grep -q 'vote slots go with access: dcf and without repair' err
}

scenario slots "vote_slots: true"
scenario plain "vote_slots: false"
check "PBFT agrees with vote slots, at packet fidelity" runs pbft packet
check "Raft agrees with vote slots, at packet fidelity" runs raft packet
check "PBFT agrees with vote slots made of samples" runs pbft iq
check "the same seed gives the same bytes" repeats
check "PBFT commits sooner than with contention" faster pbft
check "Raft commits sooner than with contention" faster raft
check "vote slots are refused together with repair" refuses
end_tests
