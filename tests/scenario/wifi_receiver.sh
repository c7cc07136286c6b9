#!/bin/bash
# Frames that airdeed modulate writes, decoded by a receiver that shares no code with airdeed. Prints TAP.
set -u
. "$(dirname "$0")/../tap.bash"
sources=$(cd "$(dirname "$0")/../.." && pwd)
build=${AIRDEED_BUILD:-$sources/build/release}
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

is_received() { # options of modulate
    "$build/airdeed" modulate "$@" --random 3 --out "$work/w" >"$work/sent" &&
        /usr/bin/python3 "$sources/tests/interop/wifi_receiver.py" "$work/w.sigmf-meta" >"$work/received" &&
        # the places within a sample, everything else to the letter
        /usr/bin/python3 - "$work/sent" "$work/received" <<'PYTHON'
import json, sys
sent, received = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
sent = [frame for frame in sent if "summary" not in frame]
assert len(sent) == len(received) == 3, (len(sent), len(received))
for a, b in zip(sent, received):
    assert abs(a.pop("start_sample") - b.pop("start_sample")) <= 1 and a == b and a["fcs_ok"], (a, b)
PYTHON
}

if ! /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    skip 'a receiver that shares no code reads what modulate writes' 'python3-numpy is not installed'
    end_tests
fi
for rate in 6 9 12 18 24 36 48 54; do
    check "$rate Mb/s with noise and a carrier offset" is_received --rate $rate --es-n0 28 --cfo 60k --length 120
done
check "a sender's clock 20 ppm fast, a window of 4, long frames" is_received --rate 12 --es-n0 25 --clock-offset 20 --window 4 --length 1000
check "3 Mb/s at 10 Msps, no noise, cf32_le, scrambler state 1" is_received --rate 3 --sample-rate 10M --datatype cf32_le --scrambler 1
check "13.5 Mb/s at 5 Msps, a third of a subcarrier off" is_received --rate 13.5 --sample-rate 5M --es-n0 28 --cfo -26k --length 80
end_tests
