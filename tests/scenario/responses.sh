#!/bin/bash
# Responses to jamming, each alone against none at packet fidelity: what they are for grows, and nobody sends without a deed.
# Prints TAP.
set -u
. "$(dirname "$0")/../tap.bash"
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3

run() { # run SCENARIO RESPONSES OUT
    airdeed run "$1" --fidelity packet --responses "$2" --json --out "$3" >"$3.json"
    grep -q '"all_equal": true' "$3.json" && grep -q '"transmissions_without_lease": 0' "$3.json"
}

acked() { # messages of data that arrived
    sed -nE 's/.*"acked": ([0-9]+).*/\1/p' "$1.json" | head -1
}

blocks() { # blocks that the last station has while the jammer is on
    grep '"event":"commit"' "$1/events.jsonl" | sed -nE 's/^\{"t_ns":([0-9]+),.*/\1/p' | awk '$1 >= 1.5e9 && $1 < 5.5e9' | wc -l
}

migrates() {
    cat >data.yaml <<END
name: data
base: jamming-none
jammers:
  - {name: jammer, kind: reactive, channel: data-1, start: 1500ms, stop: 5500ms}
END
    run data.yaml none stays || return 1
    run data.yaml migrate leaves || return 1
    echo "acknowledged: $(acked stays) without, $(acked leaves) with"
    [ "$(acked leaves)" -ge $((2 * $(acked stays))) ] && grep -q '"terminated": 1' leaves.json
}

shortens() {
    run jamming-pulse none long || return 1
    run jamming-pulse rate short || return 1
    echo "blocks under the jammer: $(blocks long) without, $(blocks short) with"
    [ "$(blocks short)" -ge $((2 * ($(blocks long) + 1))) ]
}

check "a lease holder whose data a reactive jammer destroys takes another channel" migrates
check "short frames bring blocks through a pulse jammer" shortens
end_tests
