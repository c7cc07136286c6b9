#!/bin/bash
# Four stations, each a process with PHY, MAC and ledger, on one air that mixes their samples: they commit 100 blocks with Raft and
# with PBFT while one of them is killed and comes back, and while another one stands still for so long that the air goes on without
# it; in the end all four ledgers are equal. Prints TAP.
set -u
. "$(dirname "$0")/../tap.bash"
work=$(mktemp -d) || exit 3
declare -A pids=()
air=

cleanup() {
    for pid in "${pids[@]}" $air; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

explain() {
    [ ! -d "$dir" ] || tail -n 4 "$dir"/*.log "$dir"/air.err | sed 's/^/# /'
}

air_s() { # whole seconds on the air, as the station that is never killed counts them
    local s
    s=$(ask 0 time_s)
    echo "${s%.*}"
}

# Stations work in the air's time, and the air waits for them: how long that takes is the machine's affair.
within() { # seconds on the air, command...: until it succeeds, while the air goes on
    local most=$1 from now last='' stood=$SECONDS
    shift
    from=$(air_s)
    while ! "$@"; do
        now=$(air_s)
        [ "$now" = "$last" ] || stood=$SECONDS
        last=$now
        [ $((${now:-0} - ${from:-0})) -le "$most" ] && [ $((SECONDS - stood)) -lt 120 ] || { echo "# from $from s to $now s on the air"; return 1; }
        sleep 0.2
    done
}

free_ports() { # a first port from which 16 are free, at this moment
    local port
    for port in $(shuf -i 20000-31000 -n 50); do
        if [ -z "$(ss -Hltn "sport >= :$port and sport < :$((port + 16))" 2>/dev/null)" ]; then
            echo "$port"
            return
        fi
    done
}

start_air() {
    # the very command that --init-cluster printed, less patient: standing still is part of the test
    # shellcheck disable=SC2046 # words of a command
    $(sed -n 's/^ *\(airdeed air .*\) &$/\1/p' "$work/say") --patience 8s --json >"$dir/air.out" 2>"$dir/air.err" &
    air=$!
}

start() { # station number
    airdeed station "$dir/s$1.yaml" --blocks 100 --json >>"$dir/s$1.out" 2>>"$dir/s$1.log" &
    pids[$1]=$!
}

ask() { # station number, field: of the latest status line
    tail -n 1 "$dir/s$1.out" 2>/dev/null | sed -n "s/.*\"$2\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

has_height() { # height, station numbers...
    local least=$1 i height
    shift
    for i in "$@"; do
        height=$(ask "$i" height)
        [ "${height:-0}" -ge "$least" ] || return 1
    done
}

show() { # station number: what its door says
    airdeed ledger show --node "$(sed -n "/name: s$1\$/{n;s/ *endpoint: //p}" "$dir/cluster.yaml")" --cluster "$dir/cluster.yaml" \
        --key "$dir/client.key" --json --timeout 60s 2>/dev/null
}

tips() { # each station's state root and what waits there, one line each
    local i
    for i in 0 1 2 3; do
        show $i | sed -n 's/.*"state_root":"\([0-9a-f]*\)".*"pending":\([0-9]*\).*/\1 \2/p'
    done
}

all_rest_at_one_state() { # nobody originates anything any more: what is under way gets done, then nothing changes
    local before
    before=$(tips)
    [ "$(printf '%s\n' "$before" | wc -l)" = 4 ] && [ "$(printf '%s\n' "$before" | sort -u | wc -l)" = 1 ] || return 1
    case $before in *' 0') ;; *) return 1 ;; esac
    sleep 2
    [ "$(tips)" = "$before" ]
}

submits() {
    airdeed ledger submit --node "$dir/cluster.yaml" --key "$dir/client.key" --timeout 300s --json \
        '{"op": "register", "call_sign": "CLIENT", "lat_deg": 48.1, "lon_deg": 11.6, "height_m": 12}' 2>>"$dir/submit.log" |
        grep -q '"committed":true'
}

kill_and_revive() {
    local height
    kill -9 "${pids[3]}"
    wait "${pids[3]}" 2>/dev/null
    height=$(ask 0 height)
    within 60 has_height $((height + 10)) 0 1 2 || return 1
    airdeed ledger verify "$dir/s3.db" >/dev/null || return 1 # what it had is whole
    start 3
}

caught_up() {
    within 60 has_height "$(ask 0 height)" 3
}

lines_with() { # pattern, file, least
    [ "$(grep -c "$1" "$2")" -ge "$3" ]
}

stand_still() { # longer than the air's patience
    local before code
    before=$(grep -c '^airdeed air: port 3: silent' "$dir/air.err")
    kill -STOP "${pids[2]}"
    await lines_with '^airdeed air: port 3: silent' "$dir/air.err" $((before + 1))
    code=$?
    kill -CONT "${pids[2]}"
    [ $code = 0 ] && within 20 grep -q 'went on without this station' "$dir/s2.log" && within 60 has_height "$(ask 0 height)" 2
}

stop_all() {
    local i code=0
    kill -TERM "${pids[@]}"
    for i in 0 1 2 3; do
        wait "${pids[$i]}" || code=1
        tail -n 1 "$dir/s$i.out" | grep -q '"summary":true' || code=1
        ! grep -q 'stopped: ' "$dir/s$i.log" || code=1
    done
    pids=()
    kill -TERM "$air"
    wait "$air" || code=1
    air=
    return $code
}

ledgers_equal() { # whole, at least 100 blocks, one state
    local i verdict verdicts=
    for i in 0 1 2 3; do
        verdict=$(airdeed ledger verify "$dir/s$i.db" --json) || return 1
        verdicts="$verdicts$(printf '%s\n' "$verdict" | sed 's/.*"height":\([0-9]*\),.*"state_root":"\([0-9a-f]*\)".*/\1 \2/')
"
    done
    printf '%s' "$verdicts" | sed 's/^/# /'
    [ "$(printf '%s' "$verdicts" | sort -u | wc -l)" = 1 ] && [ "$(printf '%s' "$verdicts" | head -n 1 | cut -d' ' -f1)" -ge 100 ]
}

nothing_late() { # what a station could not answer in time it did not answer; nothing came to the radio too late
    local i
    for i in 0 1 2 3; do
        tail -n 1 "$dir/s$i.out" | grep -q '"responses_radio":0,"frames_radio":0,"responses_device":0,"frames_device":0}' || return 1
    done
}

frames_acknowledged() {
    [ "$(ask 0 acked)" -gt 0 ] || [ "$(ask 1 acked)" -gt 0 ]
}

run_engine() {
    engine=$1
    dir=$work/$1
    airdeed station --init-cluster 4 --dir "$dir" --engine "$engine" --base-port "$(free_ports)" >"$work/say" || return 1
    local i
    start_air
    for i in 0 1 2 3; do start $i; done
    check "four stations on one air begin a ledger" within 40 has_height 5 0 1 2 3
    check "one is killed, and the other three go on" kill_and_revive
    check "it comes back from its database and catches up over the air" caught_up
    check "one that stood still notices that the air went on without it, and catches up" stand_still
    check "a client's transaction is committed through a station's door" submits
    check "they commit 100 blocks" within 200 has_height 100 0 1 2 3
    check "then all come to rest at one state" await all_rest_at_one_state
    check "frames were acknowledged" frames_acknowledged
    check "SIGTERM ends each with code 0 and a summary" stop_all
    check "all four ledgers verify and are equal, and nothing was lost" ledgers_equal
    check "nothing came to the radio too late" nothing_late
}

full_disk() { # a file size limit stands for it; the station says so in one line and sends nothing more
    dir=$work/full
    airdeed station --init-cluster 2 --dir "$dir" --engine raft --base-port "$(free_ports)" >"$work/say" || return 1
    start_air
    airdeed station "$dir/s1.yaml" --json >"$dir/s1.out" 2>"$dir/s1.log" &
    pids[1]=$!
    (ulimit -f 200 && exec airdeed station "$dir/s0.yaml" --json) >"$dir/s0.out" 2>"$dir/s0.log"
    [ $? = 3 ] && [ "$(grep -c 'stopped: ' "$dir/s0.log")" = 1 ]
    local good=$?
    kill "${pids[1]}" "$air"
    wait
    pids=()
    air=
    return $good
}

has_said() { # what the log says, then what the latest status line holds
    grep -q "$1" "$dir/s0.log" && tail -n 1 "$dir/s0.out" | grep -q "$2"
}

lose_air() {
    dir=$work/lost
    airdeed station --init-cluster 2 --dir "$dir" --engine raft --base-port "$(free_ports)" >"$work/say" || return 1
    start_air
    start 0
    start 1
    local good=0
    await has_height 1 0 1 && await grep -q '"waiting_for":null' "$dir/s0.out" || good=1
    kill -9 "$air"
    wait "$air" 2>/dev/null
    await has_said ': waiting for samples of zmq:' '"waiting_for":"samples"' || good=1
    start_air
    await has_said ': samples come again, after ' '"waiting_for":null' || good=1
    # once each time that none came; a machine that is busy elsewhere may be the cause of others
    awk '/: waiting for samples/ { twice = twice || waiting; waiting = 1; n++ } /: samples come again/ { waiting = 0 }
        END { exit twice || waiting || !n }' "$dir/s0.log" || good=1
    kill "${pids[@]}" "$air"
    wait
    pids=()
    air=
    return $good
}

run_engine raft
run_engine pbft
engine=raft
check "an air that is gone is told once, and that it is back" lose_air
check "a full disk ends a station with code 3 and one line" full_disk
end_tests
