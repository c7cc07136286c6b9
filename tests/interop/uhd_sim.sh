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
. "$here/uhd-sim/tries.bash"
. "$here/../tap.bash"

# --- outside: one simulator for each purpose, each on an address of its own -------------------------------------------------------

write_config() { # name, address, then lines of [simx]
    local name=$1 address=$2
    shift 2
    {
        printf '[hardware]\npreset = E320\nserial_num = FA%05d\n\n[simx]\n' "${#configs[@]}"
        printf '%s\n' "$@" "stall_log = $work/stalls"
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
    touch "$work/stalls" "$work/tx.jsonl"
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

least=0 most= # samples that the looped device may send in a try; no most: it is not looked at

result() { # 0 good, 1 wrong, 2 the machine was too slow to tell; title; what was printed is in $out
    if [ "$1" = 0 ]; then
        report ok "$2"
    elif [ "$1" = 2 ]; then
        sed 's/^/# /' "$out" | tail -n 5
        skip "$2" "$(tell_slowness)"
    else
        report 'not ok' "$2"
        sed 's/^/# /' "$out" | tail -n 30
    fi
}

# Samples that the loop simulator sent since the last call, all bursts together, ended or starved
sent_samples() {
    local lines
    lines=$(cat "$work/tx.jsonl" 2>/dev/null | wc -l)
    tail -n "+$((${seen_lines:-0} + 1))" "$work/tx.jsonl" 2>/dev/null | sed -nE 's/.*"ev": "tx_(burst|underrun)".*"n": ([0-9]+).*/\2/p' |
        awk '{ n += $1 } END { print n + 0 }' >"$work/sent" # not in a subshell: it remembers where it stopped
    seen_lines=$lines
}

settle() { # until the looped device has sent nothing for half a second
    local lines=
    until [ "$lines" = "$(wc -l <"$work/tx.jsonl")" ]; do
        lines=$(wc -l <"$work/tx.jsonl")
        sleep .5
    done
}

# One try: 0 good, 1 wrong, 2 too slow to tell: the device was not reached, or what came was late.
try_once() { # exit code, pattern in what is printed, command...
    local code=$1 pattern=$2 got n_sent=0
    shift 2
    [ -z "$most" ] || { settle; sent_samples; } # what is sent from here on is this try's
    timeout 60 "$@" >"$out" 2>&1
    got=$?
    echo "exit $got, expected $code and '$pattern'" >>"$out"
    if [ -n "$most" ]; then
        settle
        sent_samples
        read -r n_sent <"$work/sent"
        echo "$n_sent samples were sent, expected $least to $most" >>"$out"
        [ "$n_sent" -le "$most" ] || return 1
    fi
    if [ "$got" = "$code" ] && { [ -z "$pattern" ] || grep -qE -- "$pattern" "$out"; }; then
        [ "$n_sent" -ge "$least" ] || return 2
        return 0
    fi
    case $got in 3 | 4 | 124) return 2 ;; esac
    return 1
}

expect() { # title, exit code, pattern in what is printed, command...
    local title=$1
    shift
    persist try_once "$@"
    result $? "$title"
}

try() { # title, command...
    local title=$1
    shift
    expect "$title" 0 '' "$@"
}

expect_sent() { # title, least, most, title of that, then as expect
    local title=$1 least=$2 most=$3 other=$4 code
    shift 4
    persist try_once "$@"
    code=$?
    result $code "$title"
    result $code "$other"
}

kill_simulator() { # its number, from 1
    local pids
    read -r -a pids <<<"$UHDSIM_PIDS"
    kill -9 "${pids[@]:$((3 * ($1 - 1))):3}"
}

# These run beside the tests of the looped one and leave NAME.out and NAME.verdict.

behind() { # name, command that returns what try_once does
    local name=$1 out=$work/$1.out
    shift
    persist "$@"
    echo $? >"$work/$name.verdict"
}

begin() { # name, file, pattern that shows that it has begun, command...: in the background, as $begun. As try_once does
    local name=$1 file=$2 pattern=$3
    shift 3
    "$@" >"$work/$name.out" 2>&1 &
    begun=$!
    wait_for "$file" "$pattern" $begun && return
    kill $begun 2>/dev/null
    wait $begun
    return 2
}

end() { # name, process, exit code that it has to have, what came of its beginning
    wait "$2"
    local got=$? verdict=$4
    echo "exit $got, expected $3" >>"$work/$1.out"
    [ "$verdict" != 0 ] || [ $got = "$3" ] || verdict=1
    echo "$verdict" >"$work/$1.verdict"
}

# From the start: libuhd takes twenty seconds to let go of a radio that does not answer.
lose_radios() {
    local recorder victim begun lost vanish
    persist begin lost "$work/lost.sigmf-data.partial" "" env -u UHD_LOG_CONSOLE_LEVEL "$airdeed" record --radio "uhd:addr=$net.7" --freq 2.4G --rate 500k --out "$work/lost"
    lost=$?
    recorder=$begun
    persist begin vanish "$work/vanish.out" receiving "$usrp" vanish "uhd:addr=$net.6"
    vanish=$?
    victim=$begun
    kill_simulator 6
    kill_simulator 7
    end vanish $victim 0 $vanish
    end lost $recorder 3 $lost
}

fill_disk() {
    (
        trap '' XFSZ
        ulimit -f 100 # of 1024 octets
        exec "$airdeed" record --radio "uhd:addr=$net.3" --freq 2.4G --rate 500k --nsamps 500000 --out "$work/full"
    )
}

meet() {
    local a b
    timeout 60 "$usrp" meet "uhd:addr=$net.4" 21 22 >"$work/a.out" 2>&1 &
    timeout 60 "$usrp" meet "uhd:addr=$net.5" 22 21 >"$work/b.out" 2>&1
    b=$?
    wait $!
    a=$?
    echo "exit $a" >>"$work/a.out"
    echo "exit $b" >>"$work/b.out"
    [ $a != 0 ] || [ $b != 0 ] || return 0
    case $a,$b in *[!034,]*) return 1 ;; esac
    return 2
}

receive_and_meet() {
    behind file try_once 0 '' "$usrp" receive "uhd:addr=$net.2" 400000
    behind gaps try_once 0 '' "$usrp" receive "uhd:addr=$net.3" 700000 700
    behind recorded try_once 0 'gaps with [1-9]' "$airdeed" record --radio "uhd:addr=$net.3" --freq 2.4G --rate 500k --nsamps 500000 --out "$work/gaps"
    behind full try_once 3 'cannot write: ' bash -c fill_disk
    behind met meet
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

collect() { # name, pattern, title[, name of what it wrote]: of what ran in the background
    local verdict out=$work/${4:-$1}.out
    read -r verdict <"$work/$1.verdict"
    if [ "$verdict" = 0 ]; then
        grep -qE -- "$2" "$out"
        verdict=$?
    fi
    result "$verdict" "$3"
}

test_bursts() {
    expect_sent 'bursts of 1 to 60000 samples come back bit by bit at the sample they were timed for' 72081 216243 'and nothing else was sent' \
        0 '' "$usrp" loopback "$loop"
    expect_sent 'a late burst is refused or reported' 0 0 'and nothing of it is sent, its tail neither' 0 '^late_device 1$' "$usrp" late "$loop"
    expect_sent 'an empty, endless, far or overlapping burst is refused, and any where transmission is off' 2000 2000 \
        'only the two good ones were sent' 0 '' "$usrp" refuse "$loop"
    try 'a transmit gain above the cap opens no radio' "$usrp" gain "$loop"
    expect_sent 'a caller that stands still loses its burst' 1 400000 'of one second at most .8 s were sent' 0 '' "$usrp" stall "$loop"
    expect_sent 'closing cuts a burst' 1 300000 'of one second at most .6 s were sent' 0 '' "$usrp" cut "$loop"
}

interrupt_recording() {
    local begun
    begin until "$work/until.sigmf-data.partial" "" "$airdeed" record $radio --freq 2.4G --out "$work/until" || return
    kill -TERM $begun # INT is ignored in what a script starts in the background
    wait $begun && grep -q ' samples, ' "$work/until.out" && [ -s "$work/until.sigmf-meta" ] && return 0
    ! grep -q ' samples, ' "$work/until.out" && return 2
    return 1
}

interrupt_probe() {
    local begun code
    settle
    sent_samples
    "$airdeed" latency-probe $radio $band --tx --conducted --burst 5ms --trials 100000 >"$out" 2>&1 &
    begun=$!
    until tail -n "+$((seen_lines + 1))" "$work/tx.jsonl" | grep -q '"n": 2500,' || ! kill -0 $begun 2>/dev/null; do sleep .1; done
    kill -TERM $begun
    wait $begun
    code=$?
    echo "exit $code, expected 3 and 'interrupted'" >>"$out"
    [ $code = 3 ] || return 1
    grep -q interrupted "$out" || return 2
}

test_commands() {
    local radio="--radio $loop --rate 500k" band='--freq 2.4G --band 2.399G:2.401G'
    expect 'airdeed probe lists it' 0 "^uhd .*serial=FA00000" "$airdeed" probe --args "addr=$net.1"
    # shellcheck disable=SC2086 # options
    {
        expect 'airdeed record keeps what a radio hears' 0 '100000 samples, ' \
            "$airdeed" record $radio --freq 2.4G --nsamps 100000 --gain 3 --ant RX2 --out "$work/heard"
        expect 'the recording opens and names its receiver' 0 '"core:hw": "uhd addr=' cat "$work/heard.sigmf-meta"
        settle
        sent_samples
        expect 'a channel that is not there is named' 2 'the radio has no channel 7' \
            "$airdeed" record $radio --freq 2.4G --channel 7 --out "$work/no"
        expect 'a subdevice that is not there is named' 2 "does not take the subdevice 'Z:9'" \
            "$airdeed" record $radio --freq 2.4G --subdev Z:9 --out "$work/no"
        expect 'without --band nothing may be sent' 2 'needs --band' "$airdeed" latency-probe $radio --freq 2.4G --tx --conducted
        expect 'the whole rate has to lie inside the band' 2 'does not lie inside the band' \
            "$airdeed" latency-probe $radio --freq 2.4G --tx --conducted --band 2.3999G:2.401G
        expect 'probes need --conducted' 2 'needs --tx --conducted' "$airdeed" latency-probe $radio $band --tx
        expect 'probes need --tx' 2 'needs --tx --conducted' "$airdeed" latency-probe $radio $band --conducted
        sent_samples
        [ "$(cat "$work/sent")" = 0 ]
        result $? 'none of these sent anything'
        expect 'airdeed latency-probe measures a turnaround and its MAC profile' 0 '"profile":.*"sifs_us":[0-9]' \
            "$airdeed" latency-probe $radio $band --tx --conducted --trials 30 --no-hidden-stations --json
        expect_sent 'the duty limit holds' 0 250000 'half a second in a second at most was sent' \
            3 'over the duty limit' "$airdeed" latency-probe $radio $band --tx --conducted --burst 100ms
    }
    persist interrupt_recording
    result $? 'a signal ends a recording, which is kept'
    persist interrupt_probe
    result $? 'a signal ends a probe'
    settle
    sent_samples
    sleep .3
    sent_samples
    [ "$(cat "$work/sent")" = 0 ]
    result $? 'and what it sends'
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
    collect file '^wrong 0$' 'what is received is what was on the air, at its sample'
    collect gaps '^gap_count ([3-9]|[1-9][0-9])' 'an overflow and lost packets are gaps; the samples after them are at their index, read by parts of packets too'
    collect gaps '^overflows [1-9]' 'an overflow is counted as one'
    collect gaps '^lost_packets ([2-9]|[1-9][0-9])' 'lost packets are counted apart'
    collect recorded 'gaps with [1-9]' 'airdeed record counts what was lost'
    [ "$(cat "$work/recorded.verdict")" = 2 ] || {
        check_captures >"$work/out" 2>&1
        result $? 'and begins a capture at each gap'
    }
    collect full 'cannot write: ' 'a disk that takes no more ends a recording, exit code 3'
    try 'and leaves nothing' test -z "$(find "$work" -name 'full.sigmf*')"
    collect met '^heard' "two stations hear each other's bursts, bit by bit: one" a
    collect met '^heard' "two stations hear each other's bursts, bit by bit: the other" b
    wait $losing
    collect vanish '^error no samples come and it does not answer|^error receiving failed' 'a device that vanishes is told, and stays gone'
    collect lost ' samples, ' 'a recording whose radio vanished is kept, exit code 3'
    collect lost '^airdeed record: the radio is gone: ' 'and the message says that it is gone'
    try "without libuhd's own lines" test -z "$(grep -F '[' "$work/lost.out" | grep -E '\[(ERROR|WARNING)\]')"
    try 'and opens' "$airdeed" sense "$work/lost"
    end_tests
}

if [ "${1:-}" = inside ]; then
    work=$2
    net=$3
    out=$work/out # what the latest try printed
    export airdeed net work
    export -f fill_disk
    run_all
fi
start_all
