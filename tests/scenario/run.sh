#!/bin/bash
# The quickstart as its user runs it: what it promises, the same bytes from the same seed, what is left behind, bad input. Prints TAP.
set -u
work=$(mktemp -d) || exit 3
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
. "$(dirname "$0")/../tap.bash"

value() { # value FILE key.key: a field of summary.json, without a JSON tool: keys are unique enough per block
    awk -v path="$2" 'BEGIN { split(path, key, ".") }
        index($0, "\"" key[1] "\":") && !inside { inside = 1; if (!(2 in key)) { print; exit } next }
        inside && index($0, "\"" key[2] "\":") { print; exit }' "$1" | sed 's/.*: *//; s/,$//; s/"//g'
}

is() { # is FILE path expected
    local got
    got=$(value "$1" "$2")
    [ "$got" = "$3" ] || {
        echo "$2 is $got, not $3 ($1, seed $(value "$1" seed))"
        return 1
    }
}

at_least() {
    local got
    got=$(value "$1" "$2")
    awk -v a="$got" -v b="$3" 'BEGIN { exit !(a != "" && a != "null" && a >= b) }' || {
        echo "$2 is $got, below $3 (seed $(value "$1" seed))"
        return 1
    }
}

at_most() {
    local got
    got=$(value "$1" "$2")
    awk -v a="$got" -v b="$3" 'BEGIN { exit !(a != "" && a != "null" && a <= b) }' || {
        echo "$2 is $got, above $3 (seed $(value "$1" seed))"
        return 1
    }
}

same_roots() { # every database verifies, to one state root
    local folder=$1 roots
    roots=$(for db in "$folder"/ledger-*.db; do
        airdeed ledger verify "$db" --json | tr ',' '\n' | grep -E '"(ok|state_root)"' | tr -d ' {}\n'
        echo
    done | sort -u)
    [ "$(echo "$roots" | wc -l)" = 1 ] && echo "$roots" | grep -q '"ok":true' || {
        echo "$roots"
        return 1
    }
}

same_value() { # same_value KEY FILE FILE: both have it
    local one other
    one=$(value "$2" "$1")
    other=$(value "$3" "$1")
    [ -n "$one" ] && [ "$one" != null ] && [ "$one" = "$other" ] || {
        echo "$1: '$one' and '$other'"
        return 1
    }
}

promises() {
    local s=$1/summary.json
    is "$s" agreement.all_equal true && at_least "$s" agreement.height 20 && is "$s" transmissions_without_lease 0 &&
        is "$s" leases.granted 2 && is "$s" leases.suspended 1 && at_most "$s" leases.vacate_ms_max 600 &&
        is "$s" jam.missed 0 && is "$s" jam.false 0 && at_least "$s" jam.verdicts 1 && at_most "$s" jam.delivery_during 0.3 &&
        at_least "$s" jam.evidence_records 1 && at_most "$s" sensing.fused_pfa 0 && grep -q '"reactive"' "$s"
}

mkdir -p "$work/here" "$work/there"
for consensus in pbft raft; do
    check "the quickstart runs with $consensus" sh -c "cd '$work/here' && airdeed run --seed 7 --consensus $consensus --out a-$consensus"
    check "it keeps its promises with $consensus" promises "$work/here/a-$consensus"
    check "it runs again with $consensus from another folder in another locale" \
        sh -c "cd '$work/there' && LC_ALL=C.UTF-8 LANG=de_DE.UTF-8 TZ=Asia/Tokyo airdeed run --seed 7 --consensus $consensus --out a-$consensus"
    for file in events.jsonl air.pcapng; do
        check "$file has the same bytes with $consensus" cmp "$work/here/a-$consensus/$file" "$work/there/a-$consensus/$file"
    done
    check "every ledger verifies to one state root with $consensus" same_roots "$work/here/a-$consensus"
    check "the state roots are the same in both with $consensus" \
        same_value agreement.state_root "$work/here/a-$consensus/summary.json" "$work/there/a-$consensus/summary.json"
done

run=$work/here/a-pbft
data_adds_up() { # sent = acked + lost + unanswered
    local s=$1/summary.json
    [ "$(value "$s" data.sent)" = $(($(value "$s" data.acked) + $(value "$s" data.lost) + $(value "$s" data.unanswered))) ] &&
        [ "$(value "$s" data.sent)" = "$(grep -c '"event":"data_sent"' "$1/events.jsonl")" ]
}
check "every message sent is acknowledged, lost or unanswered" data_adds_up "$run"

interrupt() { # Ctrl-C leaves what there is; a second run takes its place
    cd "$work/here" || return
    airdeed run --seed 7 --out i 2>err &
    for _ in $(seq 100); do
        [ -s i.partial/events.jsonl ] && break
        sleep .1
    done
    kill -INT $!
    wait $!
    [ $? = 3 ] && grep -q 'interrupted; what there is of the run is in i.partial' err && [ -s i.partial/events.jsonl ] && [ ! -e i ] &&
        airdeed run --seed 7 --duration 200ms --out i >/dev/null && [ ! -e i.partial ] && [ -s i/summary.json ]
}
check "an interrupted run leaves DIR.partial, which the next run replaces" interrupt
check "the report is one self-contained file with pictures" sh -c "grep -q '<svg' '$run/report.html' && ! grep -qE '(src|href)=\"http' '$run/report.html'"
check "another seed gives another run" sh -c "cd '$work/here' && airdeed run --seed 8 --duration 1s --out b && ! cmp -s a-pbft/events.jsonl b/events.jsonl"
check "a recorded run says its size first and leaves a recording" sh -c \
    "cd '$work/here' && airdeed run --seed 7 --duration 1s --record --out c 2>err && grep -q 'MB of ci16_le' err && ls c/iq/alpha-control.sigmf-meta c/iq/alpha-control.sigmf-data"
check "recording changes nothing of the run" sh -c "cd '$work/here' && airdeed run --seed 7 --duration 1s --out d && cmp c/events.jsonl d/events.jsonl && cmp c/air.pcapng d/air.pcapng"
check "replaying the recording gives the frames that the station had" sh -c \
    "cd '$work/here' && test -s c/iq/alpha-control.frames.jsonl && airdeed replay c/iq/alpha-control.sigmf-meta --expect c/iq/alpha-control.frames.jsonl --tolerance 0 >/dev/null"
if command -v tshark >/dev/null; then
    check "the capture opens in tshark: no malformed packet, one interface a station" sh -c \
        "tshark -r '$run/air.pcapng' -Y _ws.malformed 2>/dev/null | wc -l | grep -qx 0 && tshark -r '$run/air.pcapng' -T fields -e frame.interface_name 2>/dev/null | sort -u | wc -l | grep -qx 4"
    check "the capture's packets are in order of time" sh -c \
        "tshark -r '$run/air.pcapng' -T fields -e frame.time_delta 2>/dev/null | awk '\$1 < 0 { bad++ } END { print NR, bad + 0; exit bad > 0 || NR < 1000 }'"
else
    skip 'the capture opens in tshark' 'tshark is not there'
fi
end_tests
