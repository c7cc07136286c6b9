#!/bin/bash
# run.sh [--tsan] [FILTER]: runs every test of the two builds, two at a time; the last line is "N passed, N failed". Called by
# ./dev test. FILTER keeps the programs whose name contains it. --tsan runs the programs that tsan_programs names instead, from the
# tsan build; "run.sh --tsan-programs" prints these names.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
# where processes, threads or locks meet; the rest of airdeed has one thread and no other
tsan_programs='unit_chain_test_net unit_chain_test_store unit_chain_test_store_work unit_chain_test_node unit_apps_test_carry unit_apps_test_intake
    unit_apps_test_node'
builds='debug release'
case ${1:-} in
--tsan-programs) echo "$tsan_programs"; exit ;;
--tsan) builds=tsan; shift ;;
esac
filter=${1:-}
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
export LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=suppressions=$root/tests/tsan.supp:print_suppressions=0
# known answers that are not kept with the sources
export AIRDEED_SHARED=${AIRDEED_SHARED:-$root/../shared}

# Each of these leaves TAP lines in $work/NAME.tap and what was printed in $work/NAME.out.

run_unit() { # name, program, seconds
    CK_TAP_LOG_FILE_NAME=$work/$1.tap CK_TIMEOUT_MULTIPLIER=15 timeout "$3" "$2" >"$work/$1.out" 2>&1
    local code=$?
    [ $code = 124 ] && echo "not ok - $1: still running after $3 s" >>"$work/$1.tap"
    if [ $code != 0 ] && ! grep -q '^not ok' "$work/$1.tap" 2>/dev/null; then
        echo "not ok - $1: exit code $code" >>"$work/$1.tap"
    fi
    grep -qE '^(not )?ok' "$work/$1.tap" 2>/dev/null || echo "not ok - $1: no case ran" >>"$work/$1.tap"
}

run_fuzz() { # name, program, corpus
    local code inputs
    mapfile -t inputs < <(find "$3" -type f 2>/dev/null | sort)
    if [ ${#inputs[@]} = 0 ]; then
        echo "not ok - $1: there is no corpus $3" >"$work/$1.tap"
        return
    fi
    timeout 300 "$2" "${inputs[@]}" >"$work/$1.out" 2>&1
    code=$?
    if [ $code = 0 ]; then
        echo "ok - $1: ${#inputs[@]} inputs" >"$work/$1.tap"
    else
        echo "not ok - $1: exit code $code" >"$work/$1.tap"
    fi
}

run_scenario() { # name, file
    local code
    case $2 in
    *.txt) timeout 1800 "$root/tests/scenario/transcript.sh" "$2" ;;
    *) AIRDEED_SRC=$root PATH=$root/build/release:$PATH timeout 1800 "$2" ;;
    esac >"$work/$1.out" 2>&1
    code=$?
    grep -E '^(not )?ok' "$work/$1.out" >"$work/$1.tap"
    if [ $code != 0 ] && ! grep -q '^not ok' "$work/$1.tap"; then
        echo "not ok - $1: exit code $code" >>"$work/$1.tap"
    fi
    [ -s "$work/$1.tap" ] || echo "not ok - $1: no case ran" >>"$work/$1.tap"
}

run_job() { # kind, name, file
    local start=$SECONDS n_passed n_failed n_skipped
    case $1 in
    release | debug | tsan) run_unit "$2" "$3" 400 ;;
    fuzz) run_fuzz "$2" "$3" "$root/tests/fuzz/corpus/$(basename "$3" | sed 's/^fuzz_//')" ;;
    scenario) run_scenario "$2" "$3" ;;
    esac
    n_skipped=$(grep -cE '^ok.*# (SKIP|skip)' "$work/$2.tap")
    n_passed=$(($(grep -c '^ok' "$work/$2.tap") - n_skipped))
    n_failed=$(grep -c '^not ok' "$work/$2.tap")
    echo "$n_passed $n_failed" >"$work/$2.count"
    printf '%-52s %4d passed %2d failed  %3d s\n' "$2" "$n_passed" "$n_failed" $((SECONDS - start))
    [ "$n_failed" = 0 ] && return
    grep '^not ok' "$work/$2.tap" | sed 's/^/    /'
    { grep -i 'seed' "$work/$2.out" | head -n 5; tail -n 60 "$work/$2.out"; } 2>/dev/null | sed 's/^/    | /'
}

list_jobs() { # kind, name, file
    local file kind name
    if [ "$builds" = tsan ]; then
        for name in $tsan_programs; do
            echo "tsan tsan/$name $root/build/tsan/unit/$name"
        done
        return
    fi
    # the long ones first
    for file in "$root"/tests/scenario/*.sh "$root"/tests/scenario/*.txt; do
        name=$(basename "$file")
        [ "$name" = transcript.sh ] || { [ -e "$file" ] && echo "scenario scenario/$name $file"; }
    done
    for file in "$root"/tests/interop/*.sh; do
        [ -e "$file" ] && echo "scenario interop/$(basename "$file") $file"
    done
    for kind in $builds; do
        for file in "$root"/tests/unit/*/test_*.c; do
            [ -e "$file" ] || continue
            name=unit_$(basename "$(dirname "$file")")_$(basename "$file" .c)
            echo "$kind $kind/$name $root/build/$kind/unit/$name"
        done
    done
    for file in "$root"/tests/fuzz/fuzz_*.c; do
        name=$(basename "$file" .c)
        [ -e "$file" ] && echo "fuzz fuzz/$name $root/build/debug/fuzz/$name"
    done
}

mkdir "$work/scenario" "$work/interop" "$work/debug" "$work/release" "$work/fuzz" "$work/tsan"
running=0
while read -r kind name file; do
    [ $running -lt 2 ] || { wait -n; running=$((running - 1)); }
    run_job "$kind" "$name" "$file" </dev/null &
    running=$((running + 1))
done < <(list_jobs | grep -F -- "$filter")
wait

grep -hE '^ok.*# (SKIP|skip)' "$work"/*/*.tap 2>/dev/null | sed 's/^ok *[0-9]* *-* */skipped: /'
read -r passed failed < <(cat "$work"/*/*.count 2>/dev/null | awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
if [ "$passed" = 0 ] && [ "$failed" = 0 ]; then
    echo "no test has '$filter' in its name"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
