#!/bin/bash
# Two stations on two simulated USRPs (uhd-sim/) that hear each other, with the real libuhd and in real time: they exchange acknowledged
# frames; what the devices sent is what the stations say they sent; with a turnaround that the devices cannot hold
# everything is late, is counted, and nothing is sent; a station whose device vanishes ends with one line. Prints TAP; skips where the simulator's packages are missing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${AIRDEED_BUILD:-$root/build/release}
airdeed=$build/airdeed
export UHD_LOG_FASTPATH_DISABLE=1 UHD_LOG_CONSOLE_LEVEL=fatal
. "$here/uhd-sim/tries.bash"
. "$here/../tap.bash"

# --- outside ----------------------------------------------------------------------------------------------------------------------

start_all() {
    local status net i configs=()
    work=$(mktemp -d) || exit 3
    trap 'rm -rf "$work"' EXIT
    touch "$work/stalls" "$work/tx0.jsonl" "$work/tx1.jsonl"
    net=127.$((192 + RANDOM % 60)).$((1 + RANDOM % 250)) # several runs may go on beside each other
    for i in 0 1 2; do # the third is alone
        printf '[hardware]\npreset = E320\nserial_num = FB%05d\n\n[simx]\nair_peer = %s\nrx_latency_ms = 20\nnoise = 20\nseed = %d\ntx_log = %s\nstall_log = %s\n' \
            "$i" "$net.$((i == 2 ? 9 : 2 - i))" "$i" "$work/tx$i.jsonl" "$work/stalls" >"$work/$i.ini"
        configs+=("$work/$i.ini@$net.$((1 + i))")
    done
    "$here/uhd-sim/withsim.sh" "${configs[@]}" -- "$0" inside "$work" "$net" 2>"$work/log"
    status=$?
    if [ "$status" = 77 ]; then
        echo "ok 1 - two stations on simulated USRPs # SKIP $(tail -n 1 "$work/log")"
        echo "1..1"
        exit 0
    fi
    [ "$status" = 0 ] || sed 's/^/# /' "$work/log" | tail -n 40
    exit "$status"
}

# --- inside -----------------------------------------------------------------------------------------------------------------------

slow=0 # 2: what is checked could not be tried on this machine

explain() {
    tail -n 3 "$dir"/s?.log | cut -c1-300 | sed 's/^/# /'
    tail -qn 1 "$dir"/s?.out | sed 's/^/# /'
}

check_in_time() { # as check
    if [ $slow = 2 ]; then
        skip "$1" "$(tell_slowness)"
    else
        check "$@"
    fi
}

value() { # station number, field: from its summary; -1: there is none
    local found
    found=$(tail -n 1 "$dir/s$1.out" | sed -nE "s/.*[{,]\"$2\":([0-9.]+).*/\1/p")
    echo "${found:--1}"
}

make_cluster() { # name, turnaround
    local i
    dir=$work/$1
    "$airdeed" station --init-cluster 2 --dir "$dir" --engine raft --radio uhd --rate 1M --block 2000 --turnaround "$2" \
        --base-port $((31100 + 8 * (RANDOM % 100))) >/dev/null || return 1
    # quicker than what it writes, which is for people with patience; the members are the only ones there: all hear all
    sed -i 's/^timing: .*/timing: {heartbeat: 1500ms, timeout: 5s, timeout_max: 20s, gossip: 3s, status: 5s,/
        s/^  propose_delay: .*/  propose_delay: 100ms, min_block_interval: 100ms, max_skew: 50ms}/
        s/^quiet: .*/quiet: {period: 8s, length: 200ms}/; s/decide_after: [0-9]*ms/decide_after: 4s/' "$dir/cluster.yaml"
    for i in 0 1; do
        sed -i "s/uri: \"uhd\"/uri: \"uhd:addr=$net.$((1 + i))\"/; s/^profile: {/profile: {no_hidden_stations: true, /
            s/^# transmit: .*/transmit: {low: 5180M, high: 5190M, max_burst: 100ms}/" "$dir/s$i.yaml"
    done
}

run_both() { # duration of samples; exit codes to $codes
    timeout 90 "$airdeed" station --tx "$dir/s0.yaml" --json --duration "$1" >"$dir/s0.out" 2>"$dir/s0.log" &
    timeout 90 "$airdeed" station --tx "$dir/s1.yaml" --json --duration "$1" >"$dir/s1.out" 2>"$dir/s1.log"
    codes=$?
    wait $!
    codes="$? $codes"
}

ended_well() {
    [ "$codes" = '0 0' ] || { echo "# exit codes $codes"; return 1; }
}

# For persist: a new cluster, and what comes of it that has to do with time
try_cluster() { # name, turnaround, duration, what they have to have done
    local code i
    rm -rf "${work:?}/$1"
    forget_logs
    make_cluster "$1" "$2" || return 1
    run_both "$3"
    for code in $codes; do
        case $code in 0 | 3 | 124) ;; *) return 1 ;; esac
    done
    ended_well && "$4" && all_told && return
    for i in 0 1; do
        echo "# s$i: $(value $i acked) acknowledged, $(value $i sent_responses) responses, $(value $i sent) handed over, of these" \
            "$(bursts_of $i tx_burst) sent and $(late_at_device $i) late at the device"
    done
    return 2
}

acknowledged() {
    [ "$(($(value 0 acked) + $(value 1 acked)))" -ge 2 ] && [ "$(($(value 0 sent_responses) + $(value 1 sent_responses)))" -ge 2 ]
}

bursts_of() { # device, kind: since its log was looked at before
    tail -n "+$((${seen[$1]:-0} + 1))" "$work/tx$1.jsonl" 2>/dev/null | grep -c "\"ev\": \"$2\""
}

late_at_device() {
    echo $(($(value "$1" responses_device) + $(value "$1" frames_device)))
}

all_told() { # no burst was on its way to the device, or its report to the station, when the station ended
    local i
    for i in 0 1; do
        [ "$(value $i sent)" -le "$(($(bursts_of $i tx_burst) + $(late_at_device $i)))" ] || return 1
    done
}

# Whatever the station handed over was a burst of the device, or late there, and then the station knows; nothing else was sent.
devices_agree() {
    local i
    for i in 0 1; do
        echo "# device $i: $(bursts_of $i tx_burst) bursts; station: $(value $i sent) handed over, of these $(late_at_device $i) late at the" \
            "device; responses: $(value $i sent_responses) handed over, $(value $i responses) late in all"
        [ "$(value $i sent)" = "$(($(bursts_of $i tx_burst) + $(late_at_device $i)))" ] || return 1
        [ "$(late_at_device $i)" = 0 ] || [ "$(bursts_of $i tx_late)" -gt 0 ] || return 1
    done
}

ledgers_verify() {
    "$airdeed" ledger verify "$dir/s0.db" --json && "$airdeed" ledger verify "$dir/s1.db" --json
} >/dev/null

n_late() { # frames that came too late, in the host or at the device
    echo $(($(late_at_device 0) + $(value 0 frames_radio) + $(late_at_device 1) + $(value 1 frames_radio)))
}

some_late() {
    [ "$(n_late)" -ge 2 ]
}

# Every frame was refused by the radio, or late at the device, and is counted as such; the devices sent nothing.
all_late() {
    local i
    for i in 0 1; do
        echo "# device $i: $(bursts_of $i tx_burst) bursts; station: $(value $i sent) handed over, $(late_at_device $i) late at the device," \
            "$(value $i frames_radio) late before, late responses $(value $i responses)"
        [ "$(bursts_of $i tx_burst)" = 0 ] && [ "$(value $i sent)" = "$(late_at_device $i)" ] || return 1
    done
    some_late
}

begin_listening() { # as $station
    timeout 300 "$airdeed" station "$work/gone/s0.yaml" >"$work/gone.out" 2>&1 &
    station=$!
    wait_for "$work/gone.out" 'noise floor' $station || { wait $station; return 2; }
}

# In the background: libuhd takes twenty seconds to let go of a device that does not answer.
lose_device() {
    local dir=$work/gone pids station
    "$airdeed" station --init-cluster 2 --dir "$dir" --engine raft --radio "uhd:addr=$net.3" --rate 500k --turnaround 30ms \
        --base-port $((31900 + 8 * (RANDOM % 100))) >/dev/null
    persist begin_listening
    echo $? >"$work/gone.slow"
    read -r -a pids <<<"$UHDSIM_PIDS"
    kill -9 "${pids[@]:6:3}"
    wait $station
    echo $? >"$work/gone.code"
}

device_lost() {
    sed 's/^/# /' "$work/gone.out" | cut -c1-200
    [ "$(cat "$work/gone.code")" = 3 ] && [ "$(wc -l <"$work/gone.out")" = 3 ] && grep -q 'transmission is off: ' "$work/gone.out" &&
        grep -q 'stopped: the radio is gone: ' "$work/gone.out"
}

forget_logs() {
    local i
    for i in 0 1; do seen[i]=$(wc -l <"$work/tx$i.jsonl" 2>/dev/null || echo 0); done
}

if [ "${1:-}" = inside ]; then
    work=$2
    net=$3
    seen=(0 0)
    lose_device &
    losing=$!
    persist try_cluster good 60ms 30s acknowledged
    slow=$?
    check_in_time "two stations work for 30 s of samples and end with code 0" ended_well
    check_in_time "they exchange acknowledged frames" acknowledged
    check_in_time "the devices sent what the stations say they sent" devices_agree
    check_in_time "their ledgers verify" ledgers_verify
    persist try_cluster short 12ms 12s some_late
    slow=$?
    check_in_time "with a turnaround shorter than the devices' latency, taken on trust, they go on" ended_well
    check_in_time "whatever is late is counted and not sent" all_late
    wait $losing
    read -r slow <"$work/gone.slow"
    check_in_time "a station whose device vanishes ends with code 3 and one line" device_lost
    end_tests
else
    start_all
fi
