#!/bin/bash
# The uhd back end with the real libuhd against simulated USRPs on loopback addresses (uhd-sim/): receiving, timed bursts looped back
# bit by bit, overflow and lost packets, late bursts, what is refused, what is cut, a device that vanishes, two stations that hear
# each other, and the commands that open a radio. Prints TAP; skips where the simulator's packages are missing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${AIRDEED_BUILD:-$root/build/release}
usrp=$build/interop/interop_usrp
airdeed=$build/airdeed
export UHD_LOG_FASTPATH_DISABLE=1 UHD_LOG_CONSOLE_LEVEL=error

# --- outside: one simulator for each purpose, each on an address of its own -------------------------------------------------------

write_config() { # name, address, then lines of [simx]
    local name=$1 address=$2
    shift 2
    {
        printf '[hardware]\npreset = E320\nserial_num = FA%05d\n\n[simx]\n' "${#configs[@]}"
        printf '%s\n' "$@"
    } >"$work/$name.ini"
    configs+=("$work/$name.ini@$address")
}

start_all() {
    local status net
    work=$(mktemp -d) || exit 3
    trap 'rm -rf "$work"' EXIT
    # several runs may go on beside each other
    net=127.$((64 + RANDOM % 128)).$((1 + RANDOM % 250))
    configs=()
    "$usrp" file "$work/rx.sc16" || exit 3
    write_config loop "$net.1" 'loopback = 1' "tx_log = $work/tx.jsonl" 'rx_latency_ms = 20' 'rx_fifo_ms = 200' 'tx_slack_ms = 100'
    write_config file "$net.2" "rx_file = $work/rx.sc16" 'rx_fifo_ms = 200'
    write_config gaps "$net.3" "rx_file = $work/rx.sc16" 'overrun_at = 200000' 'drop_every = 97'
    write_config a "$net.4" "air_peer = $net.5" 'rx_latency_ms = 20'
    write_config b "$net.5" "air_peer = $net.4" 'rx_latency_ms = 20'
    write_config gone1 "$net.6" 'noise = 20'
    write_config gone2 "$net.7" 'noise = 20'
    "$here/uhd-sim/withsim.sh" "${configs[@]}" -- "$0" inside "$work" "$net" 2>"$work/log"
    status=$?
    if [ "$status" = 77 ]; then
        echo "ok 1 - the uhd back end against simulated USRPs # SKIP $(tail -n 1 "$work/log")"
        echo "1..1"
        exit 0
    fi
    [ "$status" = 0 ] || sed 's/^/# /' "$work/log" | tail -n 40
    exit "$status"
}

# --- inside -----------------------------------------------------------------------------------------------------------------------

n=0
failed=0

result() { # status, title; what was printed is in $work/out
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        failed=1
        echo "not ok $n - $2"
        sed 's/^/# /' "$work/out" | tail -n 30
    fi
}

# These run in real time, simulator and all: on a machine that is busy elsewhere samples and bursts come too late. What fails is tried
# twice more; what is wrong fails three times.
expect() { # title, exit code, pattern in what is printed, command...
    local title=$1 code=$2 pattern=$3 got tries
    shift 3
    for tries in 1 2 3; do
        [ "$tries" = 1 ] || {
            echo "# again, since it failed: $title"
            sent_samples >/dev/null # what is sent from here on is this try's
        }
        timeout 60 "$@" >"$work/out" 2>&1
        got=$?
        if [ "$got" = "$code" ] && { [ -z "$pattern" ] || grep -qE -- "$pattern" "$work/out"; }; then
            result 0 "$title"
            return
        fi
        echo "exit $got, expected $code and '$pattern'" >>"$work/out"
    done
    result 1 "$title"
}

try() { # title, command...
    local title=$1
    shift
    expect "$title" 0 '' "$@"
}

# Samples that the loop simulator sent since the last call, all bursts together, ended or starved
sent_samples() {
    local lines
    lines=$(cat "$work/tx.jsonl" 2>/dev/null | wc -l)
    tail -n "+$((${seen_lines:-0} + 1))" "$work/tx.jsonl" 2>/dev/null | sed -nE 's/.*"ev": "tx_(burst|underrun)".*"n": ([0-9]+).*/\2/p' |
        awk '{ n += $1 } END { print n + 0 }'
    seen_lines=$lines
}

check_sent() { # title, least, most
    sent_samples >"$work/sent" # not in a subshell: it remembers where it stopped
    local n_sent
    read -r n_sent <"$work/sent"
    echo "$n_sent samples were sent, expected $2 to $3" >"$work/out"
    [ "$n_sent" -ge "$2" ] && [ "$n_sent" -le "$3" ]
    result $? "$1"
}

wait_for() { # file, pattern
    local tries=0
    until grep -q "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || return 1
        sleep 0.1
    done
}

kill_simulator() { # its number, from 1
    local pids
    read -r -a pids <<<"$UHDSIM_PIDS"
    kill -9 "${pids[@]:$((3 * ($1 - 1))):3}"
}

# In the background, from the start: libuhd takes twenty seconds to let go of a radio that does not answer.
lose_radios() {
    env -u UHD_LOG_CONSOLE_LEVEL "$airdeed" record --radio "uhd:addr=$net.7" --freq 2.4G --rate 500k --out "$work/lost" >"$work/lost.out" 2>&1 &
    recorder=$!
    "$usrp" vanish "uhd:addr=$net.6" >"$work/vanish.out" 2>&1 &
    victim=$!
    wait_for "$work/vanish.out" receiving
    wait_for "$work/lost.sigmf-data.partial" .
    kill_simulator 6
    kill_simulator 7
    wait $victim
    echo $? >"$work/vanish.code"
    wait $recorder
    echo $? >"$work/lost.code"
}

# Beside the tests of the looped one.
receive_and_meet() {
    timeout 60 "$usrp" receive "uhd:addr=$net.2" 400000 >"$work/file.out" 2>&1
    echo $? >"$work/file.code"
    timeout 60 "$usrp" receive "uhd:addr=$net.3" 700000 700 >"$work/gaps.out" 2>&1
    echo $? >"$work/gaps.code"
    timeout 60 "$airdeed" record --radio "uhd:addr=$net.3" --freq 2.4G --rate 500k --nsamps 500000 --out "$work/gaps" >"$work/recorded.out" 2>&1
    echo $? >"$work/recorded.code"
    (
        trap '' XFSZ
        ulimit -f 100 # of 1024 octets
        "$airdeed" record --radio "uhd:addr=$net.3" --freq 2.4G --rate 500k --nsamps 500000 --out "$work/full"
    ) >"$work/full.out" 2>&1
    echo $? >"$work/full.code"
    timeout 60 "$usrp" meet "uhd:addr=$net.4" 21 22 >"$work/a.out" 2>&1 &
    local peer=$!
    timeout 60 "$usrp" meet "uhd:addr=$net.5" 22 21 >"$work/b.out" 2>&1
    echo $? >"$work/b.code"
    wait $peer
    echo $? >"$work/a.code"
}

# The captures of a recording with gaps: as many as gaps and one, and each index above the one before by what was lost.
check_captures() {
    /usr/bin/python3 - "$work/gaps.sigmf-meta" "$work/recorded.out" <<'P'
import json, re, sys
captures = json.load(open(sys.argv[1]))["captures"]
gaps, lost = map(int, re.search(r"(\d+) gaps with (\d+) lost", open(sys.argv[2]).read()).groups())
ahead = [c.get("core:global_index", c["core:sample_start"]) - c["core:sample_start"] for c in captures]
print(captures, gaps, lost)
sys.exit(not (gaps >= 2 and len(captures) == gaps + 1 and ahead[0] == 0 and ahead[-1] == lost and ahead == sorted(ahead)
              and all(c["core:frequency"] == 2.4e9 for c in captures)))
P
}

collect() { # name, exit code, pattern, title: of what ran in the background
    cat "$work/$1.out" >"$work/out"
    echo "exit $(cat "$work/$1.code"), expected $2 and '$3'" >>"$work/out"
    [ "$(cat "$work/$1.code")" = "$2" ] && grep -qE -- "$3" "$work/$1.out"
    result $? "$4"
}

test_bursts() {
    sent_samples >/dev/null
    try 'bursts of 1 to 60000 samples come back bit by bit at the sample they were timed for' "$usrp" loopback "$loop"
    check_sent 'and nothing else was sent' 72081 216243
    expect 'a late burst is refused or reported' 0 '^late_device 1$' "$usrp" late "$loop"
    check_sent 'and nothing of it is sent, its tail neither' 0 0
    try 'an empty, endless, far or overlapping burst is refused, and any where transmission is off' "$usrp" refuse "$loop"
    check_sent 'only the two good ones were sent' 2000 2000
    try 'a transmit gain above the cap opens no radio' "$usrp" gain "$loop"
    try 'a caller that stands still loses its burst' "$usrp" stall "$loop"
    check_sent 'of one second at most .8 s were sent' 1 400000
    try 'closing cuts a burst' "$usrp" cut "$loop"
    check_sent 'of one second at most .6 s were sent' 1 300000
}

test_commands() {
    local radio="--radio $loop --rate 500k" band='--freq 2.4G --band 2.399G:2.401G' probe
    expect 'airdeed probe lists it' 0 "^uhd .*serial=FA00000" "$airdeed" probe --args "addr=$net.1"
    # shellcheck disable=SC2086 # options
    {
        expect 'airdeed record keeps what a radio hears' 0 '100000 samples, ' \
            "$airdeed" record $radio --freq 2.4G --nsamps 100000 --gain 3 --ant RX2 --out "$work/heard"
        expect 'the recording opens and names its receiver' 0 '"core:hw": "uhd addr=' cat "$work/heard.sigmf-meta"
        expect 'a channel that is not there is named' 2 'the radio has no channel 7' \
            "$airdeed" record $radio --freq 2.4G --channel 7 --out "$work/no"
        expect 'a subdevice that is not there is named' 2 "does not take the subdevice 'Z:9'" \
            "$airdeed" record $radio --freq 2.4G --subdev Z:9 --out "$work/no"
        expect 'without --band nothing may be sent' 2 'needs --band' "$airdeed" latency-probe $radio --freq 2.4G --tx --conducted
        expect 'the whole rate has to lie inside the band' 2 'does not lie inside the band' \
            "$airdeed" latency-probe $radio --freq 2.4G --tx --conducted --band 2.3999G:2.401G
        expect 'probes need --conducted' 2 'needs --tx --conducted' "$airdeed" latency-probe $radio $band --tx
        expect 'probes need --tx' 2 'needs --tx --conducted' "$airdeed" latency-probe $radio $band --conducted
        check_sent 'none of these sent anything' 0 0
        expect 'airdeed latency-probe measures a turnaround and its MAC profile' 0 '"profile":.*"sifs_us":[0-9]' \
            "$airdeed" latency-probe $radio $band --tx --conducted --trials 30 --no-hidden-stations --json
        sent_samples >/dev/null
        expect 'the duty limit holds' 3 'over the duty limit' "$airdeed" latency-probe $radio $band --tx --conducted --burst 100ms
        check_sent 'half a second in a second at most was sent' 0 250000
        "$airdeed" record $radio --freq 2.4G --out "$work/until" >"$work/out" 2>&1 &
        probe=$!
        sleep 4
        kill -TERM $probe # INT is ignored in what a script starts in the background
        wait $probe && grep -q ' samples, ' "$work/out" && [ -s "$work/until.sigmf-meta" ]
        result $? 'a signal ends a recording, which is kept'
        "$airdeed" latency-probe $radio $band --tx --conducted --burst 5ms --trials 100000 >"$work/out" 2>&1 &
        probe=$!
    }
    wait_for "$work/tx.jsonl" '"n": 2500,'
    kill -TERM $probe
    wait $probe
    [ $? = 3 ] && grep -q interrupted "$work/out"
    result $? 'a signal ends a probe'
    sent_samples >/dev/null
    sleep .3
    check_sent 'and what it sends' 0 0
}

run_all() {
    loop="uhd:addr=$net.1"
    lose_radios &
    local losing=$!
    receive_and_meet &
    local receiving=$!
    test_bursts
    test_commands
    wait $receiving
    collect file 0 '^wrong 0$' 'what is received is what was on the air, at its sample'
    collect gaps 0 '^gap_count [3-9]' 'an overflow and lost packets are gaps; the samples after them are at their index, read by parts of packets too'
    collect gaps 0 '^overflows [1-9]' 'an overflow is counted as one'
    collect gaps 0 '^lost_packets [2-9]' 'lost packets are counted apart'
    collect recorded 0 'gaps with [1-9]' 'airdeed record counts what was lost'
    check_captures >"$work/out" 2>&1
    result $? 'and begins a capture at each gap'
    collect full 3 'cannot write: ' 'a disk that takes no more ends a recording, exit code 3'
    try 'and leaves nothing' test -z "$(find "$work" -name 'full.sigmf*')"
    collect a 0 '^heard' "two stations hear each other's bursts, bit by bit: one"
    collect b 0 '^heard' "two stations hear each other's bursts, bit by bit: the other"
    wait $losing
    collect vanish 0 '^error no samples come and it does not answer|^error receiving failed' 'a device that vanishes is told, and stays gone'
    collect lost 3 ' samples, ' 'a recording whose radio vanished is kept, exit code 3'
    collect lost 3 '^airdeed record: the radio is gone: ' 'and the message says that it is gone'
    try "without libuhd's own lines" test -z "$(grep -F '[' "$work/lost.out" | grep -E '\[(ERROR|WARNING)\]')"
    try 'and opens' "$airdeed" sense "$work/lost"
    echo "1..$n"
    exit $failed
}

if [ "${1:-}" = inside ]; then
    work=$2
    net=$3
    run_all
fi
start_all
