#!/bin/bash
# campaign.sh [MINUTES]: every fuzz target in turn for its share of the minutes. Finds stay in build/fuzz/finds/. Called by ./dev fuzz.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
minutes=${1:-5}
case $minutes in
'' | *[!0-9]*)
    echo "dev fuzz: '$minutes' is no number of minutes" >&2
    exit 2
    ;;
esac
targets=("$root"/tests/fuzz/fuzz_*.c)
share_s=$((minutes * 60 / ${#targets[@]}))
[ $share_s -ge 1 ] || share_s=1
mkdir -p "$root/build/fuzz/finds"
failed=0
for source in "${targets[@]}"; do
    name=$(basename "$source" .c)
    corpus=$root/build/fuzz/corpus/$name
    mkdir -p "$corpus"
    if "$root/build/fuzz/fuzz/$name" -max_total_time=$share_s -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$root/build/fuzz/finds/$name-" "$corpus" "$root/tests/fuzz/corpus/${name#fuzz_}" >"$corpus.log" 2>&1; then
        printf '%-30s %s runs, %s new inputs\n' "$name" "$(sed -n 's/.*number_of_executed_units: *//p' "$corpus.log")" \
            "$(sed -n 's/.*new_units_added: *//p' "$corpus.log")"
    else
        failed=1
        printf '%-30s found something:\n' "$name"
        tail -n 25 "$corpus.log"
    fi
done
exit $failed
