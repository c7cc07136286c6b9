#!/bin/sh
# GNU Radio between our transmitter and our receiver: its REQ block asks our stream, its channel model bends it, its REP block is
# asked by us. Prints TAP.
set -u
sources=$(cd "$(dirname "$0")/../.." && pwd)
build=${AIRDEED_BUILD:-$sources/build/release}
titles="flowgraphs/zmq_channel.grc compiles|flex frames come through noise, two paths and a carrier offset|wifi frames do, too|a graph that is killed and started again is taken up again|a tag header is named as such"
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
        echo "$1" | tail -n 12 | sed 's/^/# /'
        ;;
    esac
}

skip_rest() {
    while [ $n -lt 5 ]; do result "SKIP $1"; done
    echo "1..5"
    exit $failed
}

command -v grcc >/dev/null || skip_rest "GNU Radio (grcc) is not installed"
work=$(mktemp -d) || exit 3
graph=
trap '[ -z "$graph" ] || kill -9 $graph 2>/dev/null; rm -rf "$work"' EXIT
export HOME="$work" XDG_RUNTIME_DIR="$work"
radio="zmq:tx=ipc://$work/tx,rx=ipc://$work/rx,lead=4096"

start_graph() { # program
    /usr/bin/python3 "$1" --tx "ipc://$work/tx" --rx "ipc://$work/rx" >"$work/graph.log" 2>&1 </dev/null &
    graph=$!
}

stop_graph() {
    kill -9 "$graph"
    wait "$graph" 2>/dev/null
    graph=
}

send_frames() { # waveform, how many: prints why not
    said=$(timeout 100 "$build/interop/interop_zmq_frames" "$radio" "$1" "$2" 2>&1) || { echo "$said"; cat "$work/graph.log"; }
}

said=$(timeout 100 grcc -o "$work" "$sources/flowgraphs/zmq_channel.grc" 2>&1)
if [ -s "$work/zmq_channel.py" ]; then
    result ''
else
    result "no program: $said"
    skip_rest "it does not compile"
fi

for waveform in flex wifi; do
    start_graph "$work/zmq_channel.py"
    result "$(send_frames $waveform 40)"
    stop_graph
done

start_graph "$work/zmq_channel.py"
: >"$work/frames"
timeout 100 "$build/interop/interop_zmq_frames" "$radio" wifi 600 lossy >>"$work/frames" 2>&1 &
frames=$!
n_waits=0
while [ "$(grep -c ^good "$work/frames")" -lt 20 ] && [ $n_waits -lt 300 ]; do
    sleep .2
    n_waits=$((n_waits + 1))
done
n_before=$(grep -c ^good "$work/frames")
stop_graph
start_graph "$work/zmq_channel.py"
wait "$frames"
code=$?
stop_graph
if [ "$n_before" -lt 20 ] || [ "$n_before" -ge 600 ]; then
    result "$n_before frames came before it was killed"
elif [ $code != 0 ] || ! grep -q '^rx_returns 1:' "$work/frames"; then
    result "exit code $code: $(tail -n 8 "$work/frames")"
else
    result ''
fi

sed 's/\(rep_sink(.*\)False/\1True/' "$work/zmq_channel.py" >"$work/tagged.py"
start_graph "$work/tagged.py"
said=$(timeout 100 "$build/interop/interop_zmq_frames" "$radio" wifi 1 2>&1)
stop_graph
case $said in
*'switch pass_tags off'*) result '' ;;
*) result "$said" ;;
esac
echo "1..5"
exit $failed
