#!/bin/bash
# The capture writer as tshark reads it: interfaces, times, rate, signal, flags, FCS; nothing malformed. Prints TAP.
set -u
. "$(dirname "$0")/../tap.bash"
sources=$(cd "$(dirname "$0")/../.." && pwd)
program=$sources/build/release/unit/unit_apps_test_pcapng
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
if ! command -v tshark >/dev/null; then
    skip 'tshark reads a capture' 'tshark is not installed'
    end_tests
fi
AIRDEED_KEEP_CAPTURE=$work/air.pcapng CK_RUN_CASE=pcapng "$program" >"$work/out" 2>&1
# nobody's own profile of tshark
export HOME="$work"

is_printed() { # what is expected; what was printed stands in $work/printed
    printf '%s\n' "$1" >"$work/expected"
    diff "$work/expected" "$work/printed" || { cat "$work/err"; return 1; }
}

read_fields() {
    fields=
    for field in "$@"; do
        fields="$fields -e $field"
    done
    # shellcheck disable=SC2086 # one word a field
    tshark -r "$work/air.pcapng" -o wlan.check_checksum:TRUE -T fields -E separator=, $fields 2>"$work/err"
}

read_fields frame.interface_name frame.time_epoch >"$work/printed"
check 'stations and times to the nanosecond' is_printed 'bravo,1577836801.123456789
delta,1577836801.123456889
delta,1577836801.123456889
alpha,1577836801.123456989'
read_fields radiotap.datarate radiotap.channel.freq radiotap.dbm_antsignal radiotap.dbm_antnoise >"$work/printed"
check 'rate, channel, signal, noise' is_printed '6,5185,,
6,5185,-40,-60
,5185,-40,-60
150,,-40,-60'
read_fields radiotap.mcs.index radiotap.mcs.bw radiotap.mcs.gi >"$work/printed"
check 'MCS, width and guard interval of HT frames alone' is_printed ',,
,,
,,
7,1,1'
read_fields wlan.fc.type_subtype wlan.ra wlan.fcs.status radiotap.flags.badfcs >"$work/printed"
check 'frames, FCS and its flag' is_printed '0x001d,02:00:00:00:00:01,1,0
0x001d,02:00:00:00:00:01,1,0
0x001d,02:00:00:00:00:01,0,1
,,,0'
read_fields frame.packet_flags_direction frame.comment >"$work/printed"
check 'direction and comment' is_printed '0x00000002,{"purpose":"ack"}
0x00000001,
0x00000001,
0x00000001,'
tshark -r "$work/air.pcapng" -Y '_ws.malformed || frame.cap_len < frame.len' 2>"$work/err" | wc -l >"$work/printed"
check 'nothing malformed or cut short' is_printed '0'
# what a whole exchange sends: RTS, CTS, CTS to oneself, ACK, fragments, retries
AIRDEED_KEEP_FRAMES=$work/frames.hex CK_RUN_CASE=frames "$sources/build/release/unit/unit_mac_test_exchange" >"$work/out" 2>&1
text2pcap -q -l 105 "$work/frames.hex" "$work/frames.pcap" >/dev/null 2>&1
tshark -r "$work/frames.pcap" -T fields -e wlan.fc.type_subtype 2>"$work/err" | sort -u >"$work/printed"
check 'RTS, CTS, ACK and data, and nothing else' is_printed '0x001b
0x001c
0x001d
0x0020'
tshark -r "$work/frames.pcap" -Y '_ws.malformed || _ws.expert.severity == error' 2>"$work/err" | wc -l >"$work/printed"
check 'none of the frames of an exchange is malformed' is_printed '0'
tshark -r "$work/frames.pcap" -Y 'wlan.fc.type_subtype == 0x1b && wlan.duration > 1000' -T fields -e wlan.ra -e wlan.ta 2>"$work/err" |
    sort -u | head -n 1 >"$work/printed"
check 'an RTS names both stations' is_printed '02:ad:00:00:00:00	02:ad:00:00:00:02'
end_tests
