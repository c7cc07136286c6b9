#!/bin/bash
# Hopping has to be worth what docs/jamming.md says: a tone on the control channel, one seed, with and without. Prints TAP.
set -u
bench=$AIRDEED_SRC/tests/bench/bench_jamming.py
build=$(dirname "$(command -v airdeed)")
echo 1..2
rows=$(python3 "$bench" --build "$build" --kind tone --response hop --seeds 1 --json 2>&1)
# a run without hopping commits nothing, one with it about 40 blocks in the same 4 s
if printf '%s' "$rows" | sed '$d' | python3 -c '
import json, sys
rows = {r["name"]: r["value"] for r in json.load(sys.stdin)["results"]}
sys.exit(not (rows["tone_hop_over_none"] >= 10 and rows["tone_none_per_s"] <= 1))'; then
    echo "ok 1 - with hopping ten times as many blocks are committed under a tone, and every run is safe"
else
    echo "not ok 1 - with hopping ten times as many blocks are committed under a tone, and every run is safe"
    printf '%s\n' "$rows" | sed 's/^/# /'
fi
python3 "$bench" --build "$build" --kind nobody >/dev/null 2>&1
if [ $? = 2 ]; then echo "ok 2 - a kind that is none is refused"; else echo "not ok 2 - a kind that is none is refused"; fi
