#!/bin/bash
# seeds.sh [N]: the quickstart under seeds 1..N with both consensus engines; a run that misses an expectation fails. Called by ./dev sim.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
n=${1:-5}
case $n in
'' | *[!0-9]* | 0)
    echo "dev sim: '$n' is no number of seeds" >&2
    exit 2
    ;;
esac
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
for seed in $(seq 1 "$n"); do
    for consensus in pbft raft; do
        start=$SECONDS
        if "$root/build/release/airdeed" run --seed "$seed" --consensus $consensus --out "$work/run" --json >"$work/out" 2>&1 &&
            grep -q '"granted": 2,' "$work/out" && grep -q '"suspended": 1,' "$work/out" && grep -q '"reactive"' "$work/out"; then
            passed=$((passed + 1))
            echo "seed $seed $consensus: done in $((SECONDS - start)) s"
        else
            failed=$((failed + 1))
            echo "seed $seed $consensus: failed; airdeed run --seed $seed --consensus $consensus repeats it"
            tail -n 40 "$work/out" | sed 's/^/    | /'
        fi
        rm -rf "$work/run" "$work/run.partial"
    done
done
echo "$passed runs passed, $failed failed"
[ $failed = 0 ]
