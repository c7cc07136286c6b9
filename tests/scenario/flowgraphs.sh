#!/bin/sh
# The GNU Radio flow graphs compile, run, and measure the powers that airdeed measures. Prints TAP.
set -u
sources=$(cd "$(dirname "$0")/../.." && pwd)
build=${AIRDEED_BUILD:-$sources/build/release}
titles="flowgraphs/recording_power.grc compiles|its powers are those of airdeed sense, to .15 dB|flowgraphs/recording_waterfall.grc compiles|it plays a recording"
n=0
failed=0

result() { # "" or why not, or "SKIP why"
    n=$((n + 1))
    title=$(echo "$titles" | cut -d'|' -f$n)
    case $1 in
    '') echo "ok $n - $title" ;;
    SKIP*) echo "ok $n - $title # $1" ;;
    *)
        failed=1
        echo "not ok $n - $title"
        echo "$1" | tail -n 5 | sed 's/^/# /'
        ;;
    esac
}

skip_rest() {
    while [ $n -lt 4 ]; do result "SKIP $1"; done
    echo "1..4"
    exit $failed
}

command -v grcc >/dev/null || skip_rest "GNU Radio (grcc) is not installed"
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
export HOME="$work" XDG_RUNTIME_DIR="$work" QT_QPA_PLATFORM=offscreen
recording=$sources/testvectors/flex-frames

compile() { # name: prints why not
    said=$(timeout 100 grcc -o "$work" "$sources/flowgraphs/$1.grc" 2>&1) || echo "$said"
}

# From awk's point of view: noise in samples 0 to 1000, the first three frames without their edges.
compare_powers() {
    said=$(timeout 100 /usr/bin/python3 "$work/recording_power.py" -f "$recording.sigmf-data" -o "$work/power.f32" -n 40 2>&1) ||
        { echo "$said"; return; }
    "$build/airdeed" sense "$recording.sigmf-meta" >"$work/sense.txt" || { echo "airdeed sense failed"; return; }
    od -An -v -w4 -tf4 "$work/power.f32" | awk '
        function mean_db(from, to,    i, sum) {
            for (i = from; i < to; i++) sum += exp(db[i] * log(10) / 10)
            return 10 * log(sum / (to - from)) / log(10)
        }
        function hold(what, theirs, ours) {
            if (theirs - ours > .15 || ours - theirs > .15) print what ": " theirs " dBFS here, " ours " in airdeed sense"
        }
        FILENAME == "-" { db[n++] = $1; next }
        /^noise floor/ { hold("noise", mean_db(0, 25), $3) }
        /^ +[123] +[0-9]/ { hold("burst " $1, mean_db(int($2 / 40) + 1, int(($2 + $4 * 10) / 40)), $5); n_held++ }
        END { if (n != 1300 || n_held != 3) print n " values, " n_held " bursts" }' - "$work/sense.txt"
}

play() { # for three seconds: being stopped by the clock is what is wanted
    said=$(timeout 3 /usr/bin/python3 "$work/recording_waterfall.py" -f "$recording.sigmf-data" 2>&1)
    code=$?
    if [ $code != 124 ] || echo "$said" | grep -q Traceback; then
        echo "exit code $code: $said"
    fi
}

why=$(compile recording_power)
result "$why"
[ -z "$why" ] || skip_rest "it does not compile"
result "$(compare_powers)"
why=$(compile recording_waterfall)
result "$why"
[ -z "$why" ] || skip_rest "it does not compile"
result "$(play)"
echo "1..4"
exit $failed
