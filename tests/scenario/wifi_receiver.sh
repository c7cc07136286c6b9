#!/bin/bash
# Frames that airdeed modulate writes, decoded by a receiver that shares no code with airdeed. Prints TAP.
set -u
sources=$(cd "$(dirname "$0")/../.." && pwd)
build=${AIRDEED_BUILD:-$sources/build/release}
n=0
failed=0
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT

skip=
/usr/bin/python3 -c 'import numpy' 2>/dev/null || skip="python3-numpy is not installed"

check() { # title, options of modulate
    local title=$1
    shift
    n=$((n + 1))
    if [ -n "$skip" ]; then
        echo "ok $n - $title # SKIP $skip"
        return
    fi
    "$build/airdeed" modulate "$@" --random 3 --out "$work/w" >"$work/sent" &&
        /usr/bin/python3 "$sources/tests/interop/wifi_receiver.py" "$work/w.sigmf-meta" >"$work/received" &&
        # the places within a sample, everything else to the letter
        /usr/bin/python3 - "$work/sent" "$work/received" <<'PYTHON' >"$work/log" 2>&1
import json, sys
sent, received = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
sent = [frame for frame in sent if "summary" not in frame]
assert len(sent) == len(received) == 3, (len(sent), len(received))
for a, b in zip(sent, received):
    assert abs(a.pop("start_sample") - b.pop("start_sample")) <= 1 and a == b and a["fcs_ok"], (a, b)
PYTHON
    if [ $? = 0 ]; then
        echo "ok $n - $title"
    else
        failed=1
        echo "not ok $n - $title"
        sed 's/^/# /' "$work/log" | tail -n 5
    fi
}

for rate in 6 9 12 18 24 36 48 54; do
    check "$rate Mb/s with noise and a carrier offset" --rate $rate --es-n0 28 --cfo 60k --length 120
done
check "a sender's clock 20 ppm fast, a window of 4, long frames" --rate 12 --es-n0 25 --clock-offset 20 --window 4 --length 1000
check "3 Mb/s at 10 Msps, no noise, cf32_le, scrambler state 1" --rate 3 --sample-rate 10M --datatype cf32_le --scrambler 1
check "13.5 Mb/s at 5 Msps, a third of a subcarrier off" --rate 13.5 --sample-rate 5M --es-n0 28 --cfo -26k --length 80
echo "1..$n"
exit $failed
