#!/bin/sh
# Four wifi transmissions side by side in one recording, neighbours 20 dB apart: replay --channels receives all. Prints TAP.
set -u
sources=$(cd "$(dirname "$0")/../.." && pwd)
airdeed=${AIRDEED_BUILD:-$sources/build/release}/airdeed
if ! /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    echo "ok 1 - receives on four channels at once # SKIP Python's numpy is not there"
    echo "1..1"
    exit 0
fi
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3

for k in 0 1 2 3; do
    level=$((k % 2 ? -15 : -35))
    "$airdeed" modulate --rate 3 --sample-rate 5M --random 3 --length $((200 + k)) --seed $((k + 1)) --level $level --gap 200us \
        --datatype cf32_le --out "c$k" >"c$k.jsonl" || exit 3
done
/usr/bin/python3 - <<'END' || exit 3
import json, hashlib
import numpy as np
parts = [np.fromfile("c%d.sigmf-data" % k, np.complex64) for k in range(4)]
n = min(len(p) for p in parts)
rng = np.random.default_rng(1)
wide = np.sqrt(.5e-7) * (rng.standard_normal(4 * n) + 1j * rng.standard_normal(4 * n))
for k, part in enumerate(parts):
    # zeros between the samples, then the spectrum's copies taken away: each channel as its own transmitter would send it
    spectrum = np.fft.fft(part[:n].astype(complex))
    full = np.zeros(4 * n, complex)
    full[:n // 2], full[-(n // 2):] = spectrum[:n // 2], spectrum[-(n // 2):]
    wide += 4 * np.fft.ifft(full) * np.exp(2j * np.pi * (k - 1.5) / 4 * np.arange(4 * n))
wide.astype(np.complex64).tofile("wide.sigmf-data")
json.dump({"global": {"core:datatype": "cf32_le", "core:version": "1.2.5", "core:sample_rate": 2e7},
           "captures": [{"core:sample_start": 0}], "annotations": []}, open("wide.sigmf-meta", "w"))
END
"$airdeed" replay wide --waveform wifi --channels 4 >got.jsonl || exit 3

n=0
failed=0
for k in 0 1 2 3; do
    n=$((n + 1))
    want=$(sed -n 's/.*"psdu_sha256": "\([0-9a-f]*\)".*/\1/p' "c$k.jsonl" | sort)
    got=$(sed -n "/\"channel\": $k,.*\"fcs_ok\": true/s/.*\"psdu_sha256\": \"\([0-9a-f]*\)\".*/\1/p" got.jsonl | sort)
    if [ -n "$want" ] && [ "$want" = "$got" ]; then
        echo "ok $n - channel $k: three frames, octet for octet"
    else
        failed=1
        echo "not ok $n - channel $k: three frames, octet for octet"
        sed 's/^/# /' got.jsonl
    fi
done
n=$((n + 1))
# start_sample counts in the recording, four samples to one of the channel
if awk -F'[:,]' '/"channel": 1,/ { start = $2 + 0; exit } END { exit !(start > 3980 && start < 4020) }' got.jsonl; then
    echo "ok $n - a frame starts where it stands in the recording"
else
    failed=1
    echo "not ok $n - a frame starts where it stands in the recording"
    sed 's/^/# /' got.jsonl
fi
echo "1..$n"
exit $failed
