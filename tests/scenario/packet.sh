#!/bin/bash
# Packet fidelity as its user meets it: the same story as from samples, the same bytes on any processor, what is refused. Prints TAP.
set -u
. "$(dirname "$0")/../tap.bash"
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3

cat >two.yaml <<'END'
name: two
duration: 2s
settle: 300ms
consensus: raft
channels:
  - {name: control, low: 5.18G, high: 5.19G}
control: control
stations:
  - {name: alpha, x_m: 0}
  - {name: bravo, x_m: 12}
END

# Where no frames collide: who sent what when, who heard it, what was committed when. Sensed levels differ, and with them the digests of
# the blocks that report them.
story() {
    sed -E 's/,"(power_dbfs|hash|state_root)":("[0-9a-f]*"|[-0-9.]*)//g' "$1/events.jsonl"
}

same_story() {
    airdeed run two.yaml --fidelity iq --seed "$1" --out "iq$1" && airdeed run two.yaml --fidelity packet --seed "$1" --out "packet$1" || return 1
    story "iq$1" >iq.jsonl
    story "packet$1" >packet.jsonl
    [ "$(grep -c '"emission"' iq.jsonl)" -gt 50 ] && cmp iq.jsonl packet.jsonl
}

# A processor without AVX2 and FMA, as far as the C library's choice of functions goes.
same_bytes() {
    airdeed run --fidelity packet --duration 3s --seed 9 --out here &&
        GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-AVX2_Usable,-FMA_Usable airdeed run --fidelity packet --duration 3s --seed 9 --out there &&
        cmp here/events.jsonl there/events.jsonl && cmp here/air.pcapng there/air.pcapng
}

quickstart() { # keeps what it promises, names the jammer, and says at which fidelity
    airdeed run --fidelity packet --seed "$1" --consensus "$2" --json --out "q$1" >q.json || return 1
    grep -q '"fidelity": "packet"' q.json && grep -q '"missed": 0' q.json && grep -q '"false": 0' q.json && grep -q '"suspended": 1' q.json
}

# With all responses, the control channel hopping: visits of 50 ms.
names() { # names KIND VERDICT
    airdeed run "jamming-$1" --fidelity packet --duration 4s --seed 3 --json --out "j$1" >j.json
    tr -d ' \n' <j.json | grep -q "\"missed\":0,\"false\":0,\"kinds\":\[\"$2\"\]" || { grep -A8 '"jam"' j.json; return 1; }
}

refuses() { # refuses MESSAGE COMMAND...
    local message=$1
    shift
    "$@" >out 2>&1
    [ $? = 2 ] && grep -q "$message" out || { cat out; return 1; }
}

for seed in 1 2 3; do
    check "without collisions both fidelities tell the same story (seed $seed)" same_story "$seed"
done
check 'the same bytes from other mathematical functions of the C library' same_bytes
check 'the quickstart keeps its promises (pbft)' quickstart 4 pbft
check 'the quickstart keeps its promises (raft)' quickstart 5 raft
check 'the capture holds no malformed packet' sh -c '! command -v tshark >/dev/null || [ -z "$(tshark -r q5/air.pcapng -Y _ws.malformed 2>/dev/null)" ]'
for kind in noise:constant tone:tone pulse:pulse random:pulse reactive:reactive follower:constant insider:constant; do
    check "a hopping control channel's jammer is named: ${kind%:*}" names "${kind%:*}" "${kind#*:}"
done
check 'fading has no tables' refuses 'fading' airdeed run fading --fidelity packet --out no
check 'there are no samples to record' refuses 'no samples to record' airdeed run --fidelity packet --record --out no
check 'a waveform without shipped tables is named' refuses "no tables for waveform 'flex'" sh -c 'echo "waveform: flex" >>two.yaml; airdeed run two.yaml --fidelity packet --out no'
check 'a third fidelity is refused' refuses 'neither iq nor packet' airdeed run --fidelity frames
end_tests
